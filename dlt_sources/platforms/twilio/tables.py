"""Twilio's limits and the two kinds of webhook it sends, as data."""

from dlt_sources.platform import Limit, Topic

# Twilio publishes no figure for its API, only that 429 means too many calls at once; a number sends one text a second.
_SOURCE = "https://www.twilio.com/docs/messaging/guides/queueing-and-latency"

LIMITS = (
    Limit(bucket="suppress", calls=10, seconds=1, burst=10, source=_SOURCE),
    Limit(bucket="erase", calls=10, seconds=1, burst=10, source=_SOURCE),
    Limit(bucket="send", calls=1, seconds=1, burst=1, source=_SOURCE),
)

TOPICS = (
    Topic(topic="message.stop", event="sms_unsubscribed", lane="speed"),
    Topic(
        topic="message.review",
        event="message_received",
        lane="speed",
        reason="words that may mean stop: nothing is sent until a person has read them",
    ),
    Topic(topic="message.start", event="sms_subscribed", lane="segmentation", reason="the speed lane never grants"),
    Topic(topic="message.received", event="message_received", lane="segmentation"),
    Topic(topic="status.opted_out", event="sms_unsubscribed", lane="speed", reason="error 21610 reveals a STOP"),
    Topic(topic="status", event="message_sent", lane="care"),
)
