"""HubSpot's published limits, its webhook topics and the properties they watch, as data."""

from dlt_sources.platform import Lane, Limit, Topic

_SOURCE = "https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines"


def _limit(bucket: str, calls: int, seconds: float, burst: int) -> Limit:
    return Limit(bucket=bucket, calls=calls, seconds=seconds, burst=burst, source=_SOURCE)


# All operations of an app share 100 calls in ten seconds on the smaller plans (190 on the larger ones), and searches
# are 5 a second for the whole account: the parts add up to less, so that none starves another.
LIMITS = (
    _limit("add", 30, 10, 10),
    _limit("remove", 20, 10, 10),
    _limit("suppress", 20, 10, 10),
    _limit("find", 3, 1, 3),
    _limit("identify", 10, 10, 5),
    _limit("read_back", 3, 1, 3),
    _limit("erase", 5, 10, 5),
)

#: Contact properties that a webhook subscription is wanted for, each one of its own.
WATCHED = ("hs_email_optout", "email", "phone", "mobilephone", "date_of_birth", "age_verified")


def _topic(topic: str, event: str, lane: Lane, reason: str = "") -> Topic:
    return Topic(topic=topic, event=event, lane=lane, reason=reason)


TOPICS = (
    _topic(
        "contact.propertyChange",
        "profile_updated",
        "speed",
        "one topic for all watched properties: an opt-out travels at speed, any other change by segmentation",
    ),
    _topic("contact.privacyDeletion", "customer_redacted", "speed", "erasure must begin at once"),
    _topic("contact.deletion", "customer_deleted", "segmentation", "a record went; the person said nothing"),
    _topic("contact.creation", "customer_created", "segmentation"),
    _topic("contact.merge", "customer_updated", "segmentation", "who is who is for a build to decide"),
    _topic("contact.restore", "customer_updated", "segmentation"),
)
