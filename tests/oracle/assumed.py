"""What the rules say and no seed holds yet; a seed that brings one of these tables takes its place."""

from __future__ import annotations

from datetime import timedelta

#: Section 2, rule 5: an event time may run ahead of the receipt by this much before it is clamped.
CLOCK_SKEW = timedelta(minutes=5)
#: Section 2, rule 8: "within minutes" of another tool's unsubscription.
ECHO_WINDOW = timedelta(minutes=10)
#: Section 4: signals that disagree within 12 months.
PLACE_MONTHS = 12
#: Section 5: the binding of a proof needs an anchor every 24 months.
BINDING_YEARS = 2
#: Section 5: how long evidence of a level proves anything; levels 4 and 5 do not expire.
LEVEL_DAYS = {1: 365}
LEVEL_YEARS = {2: 3, 3: 2}
#: Section 4: never market restricted goods to anyone younger, whatever the purchase age is.
MARKETING_FLOOR = 18
#: Section 5: no human being is credibly older.
OLDEST = 115
#: Section 3, CASL: how long a purchase and an inquiry imply consent, in calendar months.
IMPLIED_MONTHS = {"implied_purchase": 24, "implied_inquiry": 6}
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
#: Section 2, rule 17: where opt-in is law, so that only the customer's own express consent counts.
OPT_IN_BY_LAW = EU_UK | {"CA", "AU"}
#: Section 3, TCPA: texts and calls want express consent in the US too.
OPT_IN_CHANNELS = frozenset({"sms", "mms", "voice"})

#: Section 2, rule 7: fields that show a state as true or false and say nothing of the time.
BOOLEANS = frozenset({"true", "false", "1", "0"})

#: Section 6: more names or customers than these make a shared node.
SHARED_NAMES = 3
SHARED_CUSTOMERS = 5

#: Names of registries that were in use before the seed's own.
REGISTRY_NAMES = {
    "utah_child_protection": "child_protection_utah",
    "michigan_child_protection": "child_protection_michigan",
    "national_dnc": "do_not_call_us",
    "reassigned_numbers": "reassigned_numbers_us",
}
#: The policy that a row of the legality table names -> as the project's policies name it.
POLICY_NAMES = {"cannabis_information": "cannabis_informational_promotion"}

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
