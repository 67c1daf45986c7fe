"""Shopify's published limits and its webhook topics, as data."""

from dlt_sources.platform import Lane, Limit, Topic

# GraphQL counts points, 100 restored a second, and a mutation costs 10: ten aliased mutations a second.
_SOURCE = "https://shopify.dev/docs/api/usage/limits"


def _limit(bucket: str, calls: int, seconds: float, burst: int) -> Limit:
    return Limit(bucket=bucket, calls=calls, seconds=seconds, burst=burst, source=_SOURCE)


LIMITS = (
    _limit("add", 4, 10, 4),
    _limit("remove", 4, 10, 4),
    _limit("suppress", 4, 10, 4),
    _limit("find", 1, 1, 4),
    _limit("identify", 1, 1, 4),
    _limit("read_back", 1, 1, 4),
    _limit("erase", 4, 10, 4),
)


def _topic(topic: str, event: str, lane: Lane, reason: str = "") -> Topic:
    return Topic(topic=topic, event=event, lane=lane, reason=reason)


_CONSENT = "the only topics that say so: customers/update no longer carries consent"
_COMPLIANCE = "sent to every app; erasure must begin at once"

TOPICS = (
    _topic("customers_email_marketing_consent/update", "email_unsubscribed", "speed", _CONSENT),
    _topic("customers_marketing_consent/update", "sms_unsubscribed", "speed", _CONSENT),
    _topic("customers/email_marketing_consent_update", "email_unsubscribed", "speed", "another spelling in the docs"),
    _topic("customers/marketing_consent_update", "sms_unsubscribed", "speed", "another spelling in the docs"),
    _topic("customers/redact", "customer_redacted", "speed", _COMPLIANCE),
    _topic("orders/create", "order_placed", "speed", "a purchase may end a follow-up"),
    _topic("orders/paid", "order_paid", "segmentation"),
    _topic("orders/updated", "other", "segmentation", "says that something changed, not what"),
    _topic("orders/cancelled", "order_cancelled", "segmentation"),
    _topic("refunds/create", "other", "segmentation", "names no person; the order itself shows its refund"),
    _topic("customers/create", "customer_created", "segmentation"),
    _topic("customers/update", "customer_updated", "segmentation"),
    _topic("customers/enable", "customer_updated", "care", "an account state, not consent"),
    _topic("customers/disable", "customer_updated", "care", "an account state, not consent"),
    _topic("customers/delete", "customer_deleted", "segmentation", "a record went; the person said nothing"),
    _topic("customers/merge", "customer_updated", "segmentation"),
    _topic("customers/purchasing_summary", "customer_updated", "care"),
    _topic("customer.tags_added", "customer_updated", "care", "mostly our own tags coming back"),
    _topic("customer.tags_removed", "customer_updated", "care", "mostly our own tags coming back"),
    _topic("customers/data_request", "other", "care", "a person asks for their data; nothing is forbidden"),
    _topic("shop/redact", "other", "care", "the shop left; it names no person"),
    _topic("app/uninstalled", "other", "care"),
)
