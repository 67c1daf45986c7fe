"""Klaviyo's published limits and its webhook topics, as data."""

from dlt_sources.platform import Limit, Topic

_SOURCE = "https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling"


def _limit(bucket: str, per_minute: int, burst: int) -> Limit:
    return Limit(bucket=bucket, calls=per_minute, seconds=60, burst=burst, source=_SOURCE)


LIMITS = (
    _limit("add", 150, 10),
    _limit("remove", 150, 10),
    _limit("suppress", 150, 10),
    _limit("find", 700, 75),
    _limit("identify", 700, 75),
    _limit("read_back", 150, 10),
    _limit("erase", 60, 3),
)

_EVENT = "event:klaviyo."

TOPICS = (
    Topic(topic=f"{_EVENT}unsubscribed_from_email_marketing", event="email_unsubscribed", lane="speed"),
    Topic(topic=f"{_EVENT}unsubscribed_from_sms_marketing", event="sms_unsubscribed", lane="speed"),
    Topic(topic=f"{_EVENT}marked_email_as_spam", event="email_marked_spam", lane="speed"),
    Topic(
        topic=f"{_EVENT}bounced_email",
        event="email_bounced",
        lane="speed",
        reason="only a bounce that calls itself hard forbids anything; most are soft",
    ),
    Topic(
        topic=f"{_EVENT}manually_suppressed_from_email_marketing",
        event="other",
        lane="speed",
        reason="somebody at the shop blocked the person",
    ),
    Topic(
        topic=f"{_EVENT}manually_unsuppressed_from_email_marketing",
        event="other",
        lane="segmentation",
        reason="lifts a block by an admin; no act of the person, so no grant",
    ),
    Topic(topic=f"{_EVENT}subscribed_to_email_marketing", event="email_subscribed", lane="segmentation"),
    Topic(topic=f"{_EVENT}subscribed_to_sms_marketing", event="sms_subscribed", lane="segmentation"),
    Topic(
        topic="event:api.webinar_registered",
        event="webinar_registered",
        lane="segmentation",
        reason="a metric of the shop's own: Klaviyo makes a topic of each",
    ),
    Topic(
        topic=f"{_EVENT}updated_email_preferences",
        event="profile_updated",
        lane="segmentation",
        reason="says that preferences changed, not which; the next pull says which",
    ),
    Topic(
        topic=f"{_EVENT}dropped_email",
        event="other",
        lane="care",
        reason="a symptom of a suppression that has its own topic",
    ),
)
