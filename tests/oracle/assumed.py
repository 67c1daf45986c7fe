"""What the rules say and no seed holds yet; a seed that brings one of these tables takes its place."""

from __future__ import annotations

from datetime import timedelta

#: Section 2, rule 8: how much earlier than our write a platform's clock may show it, and how long it may take over it,
#: which is the time within which a push is to be confirmed.
CLOCKS_DIFFER = timedelta(seconds=10)
CARRIED_OUT = timedelta(minutes=15)
#: Suppressions that are pushed to other platforms, as withdrawals are.
PUSHED_KINDS = frozenset({"spam_complaint", "erased"})
#: Section 5: nobody is believed to be older.
OLDEST_AGE = 115
#: Section 5: proof of levels 4 and 5 needs an order or a login within this time.
ANCHOR_MONTHS = 24

#: Section 2, rule 17 and section 3: where opt-in is law for every channel, and where a soft opt-in may stand for it.
EU_UK = frozenset(
    "AT BE BG HR CY CZ DE DK EE ES FI FR GB GR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()  # noqa: SIM905
)
ORDERS = frozenset({"order_placed", "order_paid", "order_fulfilled", "purchase"})
INQUIRIES = frozenset({"inquiry"})
LOGINS = frozenset({"login", "logged_in"})
TAKEOVERS = frozenset({"takeover", "account_takeover"})
DELIVERIES = frozenset({"delivered", "email_delivered", "sms_delivered", "message_delivered"})
#: Platform values that say that a message arrived, which the vocabulary reads as saying nothing.
DELIVERED_VALUES = frozenset({"delivered"})
#: Section 3, TCPA: texts and calls want express consent in the US too.
OPT_IN_CHANNELS = frozenset({"sms", "mms", "voice"})

#: Section 2, rule 7: fields that show a state as true or false and say nothing of the time.
BOOLEANS = frozenset({"true", "false", "1", "0"})

#: Section 5, minors: a school's domain makes one suspect a minor.
SCHOOL_DOMAINS = (r"\bk12\.[a-z]{2}\.us$", r"\.sch\.uk$", r"\bschools?\.[a-z]{2,}$")

#: Section 2, rule 20: writes that create consent. Any other operation is a membership, a property or a withdrawal.
GRANT_OPERATIONS: dict[str, tuple[str, ...]] = {
    "klaviyo": ("subscribe",),
    "mailchimp": ("status=subscribed", "subscribe", "unarchive"),
    "activecampaign": ("status=1", "subscribe"),
    "hubspot": ("status=subscribed", "subscribe"),
    "pipedrive": ("marketing_status=subscribed", "subscribe"),
    "shopify": ("subscribe", "marketing_state=subscribed"),
    "intercom": ("attach", "detach", "subscribe"),
}
