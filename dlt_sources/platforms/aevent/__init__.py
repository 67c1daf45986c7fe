"""AEvent: tags for webinar registrants, in both directions through one URL; it has nothing to pull.

GET /setpixel?page=webhook&wtl=TOKEN&value=TAG&email=ADDRESS (or &r=REGISTRANT_ID) sets a tag at AEvent; our receiver
offers the same URL, so that any tool that can make a GET takes a person out of an audience.
"""

from dlt_sources.platform import Credential, Platform
from dlt_sources.platforms.aevent.tables import PATH, TOPICS

PLATFORM = Platform(
    name="aevent",
    title="AEvent",
    documentation="https://help.aevent.com",
    credentials=(
        Credential(
            name="wtl", description="token in the URL of the Timeline's inbound webhook, for pushes", required=False
        ),
        Credential(
            name="subdomain",
            description="name in <name>.aevent.online, for pushes",
            secret=False,
            required=False,
        ),
        Credential(
            name="calls_per_second",
            description="pace of pushes (default 5; AEvent publishes no limit)",
            secret=False,
            required=False,
        ),
        Credential(name="base_url", description="another address of the URL", secret=False, required=False),
    ),
    topics=TOPICS,
    signed=False,
    path=PATH,
)
