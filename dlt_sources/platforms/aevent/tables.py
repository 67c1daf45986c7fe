"""AEvent's URL, our own limit on it, and the one kind of webhook, as data."""

from dlt_sources.platform import Limit, Topic

PATH = "/setpixel"
#: The value of `page` that makes the pixel URL an inbound webhook.
PAGE = "webhook"

LIMITS = (Limit(bucket="add", calls=5, seconds=1, burst=1, source="none is published; this one is our own"),)

TOPICS = (
    Topic(
        topic="tag",
        event="tag",
        lane="speed",
        reason="the events are named tag:<tag>; whoever calls means to take somebody out at once",
    ),
)
