"""AEvent's URL, our own limit on it, and the one kind of webhook, as data."""

from dlt_sources.platform import Topic

PATH = "/setpixel"
#: The value of `page` that makes the pixel URL an inbound webhook.
PAGE = "webhook"

#: Our own limit, since AEvent publishes none.
CALLS_A_SECOND = 5

TOPICS = (
    Topic(
        topic="tag",
        event="tag",
        lane="speed",
        reason="the events are named tag:<tag>; whoever calls means to take somebody out at once",
    ),
)
