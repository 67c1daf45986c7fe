"""The people of the test shop: subscribed to both channels and living in California unless told otherwise."""

from __future__ import annotations

from tests.dbt.raw import NOT_SUBSCRIBED, REGISTRIES, SUBSCRIBED, UNSUBSCRIBED, Raw, ago

PENDING = {"state": "pending", "opt_in_level": "confirmed_opt_in", "consent_updated_at": "2026-01-10T00:00:00Z"}
REDACTED = {"state": "redacted", "opt_in_level": None, "consent_updated_at": "2026-11-20T00:00:00Z"}
LATER_OPT_OUT = {
    "consent": "UNSUBSCRIBED",
    "consent_timestamp": "2026-05-01T00:00:00+00:00",
    "suppression": [{"reason": "UNSUBSCRIBE", "timestamp": "2026-05-01T00:00:00+00:00"}],
}


def fill(raw: Raw) -> None:
    """Land the whole shop; its registries were compared a week ago."""
    for registry in REGISTRIES:
        raw.compared(registry, ago(days=7))
    buyers(raw)
    lapsed(raw)
    vapers(raw)
    webinar(raw)
    webhooks(raw)
    misfits(raw)
    registrants(raw)


def buyers(raw: Raw) -> None:
    """People whose orders are recent; most must not be written to."""
    raw.customer(1, "Ann@Example.com ", "+1 (415) 555-0101")
    raw.order(101, 1, ago(days=3), total="300.00")
    raw.order(102, 1, ago(days=200), total="200.00")
    raw.profile("K01", "ANN@example.com")
    raw.customer(2, "bob@example.com")
    raw.order(103, 2, ago(days=3))
    raw.profile("K02", "bob@example.com", email_consent=LATER_OPT_OUT)
    raw.customer(3, "tie@example.com")
    raw.order(104, 3, ago(days=3))
    tie = {"consent": "UNSUBSCRIBED", "consent_timestamp": SUBSCRIBED["consent_updated_at"]}
    raw.profile("K03", "tie@example.com", email_consent=tie)
    raw.customer(4, "dee@example.com", email_consent=NOT_SUBSCRIBED)
    raw.order(105, 4, ago(days=3))
    raw.customer(5, "pending@example.com", email_consent=PENDING)
    raw.order(106, 5, ago(days=3))
    raw.customer(6, "fay at example")
    raw.order(107, 6, ago(days=3))
    raw.customer(7, "undone@example.com")
    raw.order(108, 7, ago(days=3), total="900.00", cancelled_at=ago(days=2))
    raw.order(109, 7, ago(days=3), total="900.00", status="voided")
    raw.customer(8, "bounced@example.com")
    raw.order(110, 8, ago(days=3))
    bounce = {"suppression": [{"reason": "HARD_BOUNCE", "timestamp": "2026-10-01T00:00:00+00:00"}]}
    raw.profile("K08", "bounced@example.com", email_consent=bounce)
    raw.customer(13, "complained@example.com")
    raw.order(114, 13, ago(days=3))
    complaint = {"reason": "SPAM_COMPLAINT", "timestamp": "2026-10-01T00:00:00+00:00"}
    raw.profile("K13", "complained@example.com", email_consent={"suppression": [complaint]})
    raw.customer(14, "forgave@example.com")
    raw.order(115, 14, ago(days=3))
    since = {"consent": "SUBSCRIBED", "double_optin": True, "consent_timestamp": "2026-11-02T00:00:00+00:00"}
    raw.profile("K14", "forgave@example.com", email_consent={"suppression": [complaint], **since})
    raw.customer(9, "back@example.com", email_consent=UNSUBSCRIBED)
    raw.order(111, 9, ago(days=3))
    confirmed = {"consent": "SUBSCRIBED", "double_optin": True, "consent_timestamp": "2026-11-02T00:00:00+00:00"}
    raw.profile("K09", "back@example.com", email_consent=confirmed)
    raw.customer(10, None, None, email_consent=REDACTED, sms_consent=REDACTED, country=None)
    raw.order(112, 10, ago(days=3))
    raw.customer(11, "two@example.com", None)
    raw.customer(12, None, "+14155550112")
    raw.order(113, 11, ago(days=3))
    raw.profile("K11", "two@example.com", "+14155550112")


def lapsed(raw: Raw) -> None:
    """People whose last order is long ago, on the text channel."""
    raw.customer(21, "lapsed@example.com", "+14155550121")
    raw.order(201, 21, ago(days=180, seconds=1))
    raw.customer(22, "edge@example.com", "+14155550122")
    raw.order(202, 22, ago(days=180))
    raw.customer(23, "stopped@example.com", "+14155550123")
    raw.order(203, 23, ago(days=300))
    raw.message("SM23", "+14155550123", ago(days=9), body=" Stop! ")
    raw.customer(24, "refused@example.com", "+14155550124")
    raw.order(204, 24, ago(days=300))
    raw.message("SM24", "+14155550124", ago(days=9), inbound=False, error_code=21610)
    raw.customer(25, "maybe@example.com", "+14155550125")
    raw.order(205, 25, ago(days=300))
    raw.message("SM25", "+14155550125", ago(days=9), body="Please stop texting me")
    raw.customer(26, "chatty@example.com", "+14155550126")
    raw.order(206, 26, ago(days=300))
    raw.message("SM26", "+14155550126", ago(days=9), body="Yes")


def vapers(raw: Raw) -> None:
    """People who bought vape goods, with different proofs of age."""
    verified = {"skus": ["TEA-1", "VAPE-1"], "tags": "gift, Age Verified"}
    raw.customer(31, "proven@example.com")
    raw.order(301, 31, ago(days=100), **verified)
    raw.customer(32, "typed@example.com", birth_date="1990-05-01")
    raw.order(302, 32, ago(days=100), skus=["VAPE-1"])
    raw.customer(33, "young@example.com", birth_date="2006-01-15")
    raw.order(303, 33, ago(days=100), skus=["VAPE-1"])
    # The check was of whoever paid; the birth date is the account's.
    raw.customer(37, "shared@example.com", birth_date="2006-01-15")
    raw.order(307, 37, ago(days=100), billing_address={"first_name": "Sam", "last_name": "Other"}, **verified)
    raw.customer(38, "gift@example.com")
    raw.order(308, 38, ago(days=100), billing_address={"first_name": "Sam", "last_name": "Other"}, **verified)
    raw.customer(39, "mistyped@example.com", birth_date="2006-01-15")
    again = {"consent": "SUBSCRIBED", "consent_timestamp": ago(days=10).isoformat()}
    raw.profile("K39", "mistyped@example.com", email_consent=again)
    raw.order(309, 39, ago(days=100), **verified)
    raw.customer(34, "abroad@example.com")
    raw.order(304, 34, ago(days=100), country="GB", region="ENG", **verified)
    raw.customer(35, "nothing@example.com")
    raw.order(305, 35, ago(days=100), skus=["VAPE-1"], tags="Age Not Verified")
    raw.customer(36, "nowhere@example.com", country=None)
    raw.order(306, 36, ago(days=100), shipping_address=None, **verified)


def webinar(raw: Raw) -> None:
    """People who registered for a webinar, some of whom bought."""
    raw.metric("M1", "Webinar Registered")
    for number, name in ((41, "guest"), (42, "buyer"), (43, "earlier"), (44, "late"), (45, "twice")):
        raw.customer(number, f"{name}@example.com")
        raw.profile(f"K{number}", f"{name}@example.com")
    raw.event("E41", "M1", "K41", ago(days=5))
    raw.event("E42", "M1", "K42", ago(days=5))
    raw.order(402, 42, ago(days=5), status="voided")
    raw.event("E43", "M1", "K43", ago(days=5))
    raw.order(403, 43, ago(days=5, seconds=1))
    raw.event("E44", "M1", "K44", ago(days=14, seconds=1))
    raw.event("E45", "M1", "K45", ago(days=10))
    raw.order(405, 45, ago(days=8))
    raw.event("E45b", "M1", "K45", ago(days=2))
    call = {"page": "webhook", "wtl": "abc123", "value": "Buyer", "event": "tag:buyer"}
    for number, name in ((46, "tagged"), (47, "tagged-earlier"), (48, "tagged-by-mail")):
        raw.customer(number, f"{name}@example.com")
        raw.profile(f"K{number}", f"{name}@example.com", properties={"aevent_registrant_id": f"r-{number}"})
        raw.event(f"E{number}", "M1", f"K{number}", ago(days=5))
    raw.webhook("aevent", "tag", {**call, "r": "r-46"}, landing_id="tagged", received_at=ago(days=4))
    raw.webhook("aevent", "tag", {**call, "r": "r-47"}, landing_id="tagged earlier", received_at=ago(days=6))
    by_mail = {**call, "email": "tagged-by-mail@example.com"}
    raw.webhook("aevent", "tag", by_mail, landing_id="tagged by mail", received_at=ago(days=4))


def webhooks(raw: Raw) -> None:
    """What came by webhook since the last pull."""
    raw.customer(51, "hook@example.com", "+14155550151")
    raw.order(501, 51, ago(days=3))
    said = {"customer_id": 51, "email_address": "Hook@example.com", "email_marketing_consent": UNSUBSCRIBED}
    for landing_id in ("twice-1", "twice-2"):
        raw.webhook("shopify", "customers_email_marketing_consent/update", said, "W51", landing_id=landing_id)
    raw.customer(52, "texter@example.com", "+14155550152")
    raw.order(502, 52, ago(days=300))
    form = {"MessageSid": "SM52", "From": "+14155550152", "To": "+14155559876", "Body": "stop", "NumMedia": "0"}
    raw.webhook("twilio", "message.stop", form, "SM52", landing_id="stop")
    raw.customer(53, "ordered@example.com")
    order = raw.order_payload(503, 53, ago(hours=2), total="700.00")
    raw.webhook("shopify", "orders/create", order, landing_id="order")
    raw.customer(54, "clicked@example.com")
    raw.order(504, 54, ago(days=3))
    raw.profile("K54", "clicked@example.com")
    items = [raw.klaviyo_item("unsubscribed_from_email_marketing", "E54", "K54", ago(hours=1))]
    raw.webhook("klaviyo", "event:klaviyo.unsubscribed_from_email_marketing", {"data": items}, landing_id="items")
    raw.customer(55, "erased@example.com", "+14155550155")
    raw.order(505, 55, ago(days=3))
    raw.profile("K55", "erased@example.com")
    who = {"id": 55, "email": "erased@example.com", "phone": "+14155550155"}
    raw.webhook("shopify", "customers/redact", {"shop_id": 1, "customer": who}, landing_id="redact")
    raw.customer(56, "deleted@example.com")
    raw.order(506, 56, ago(days=3))
    raw.webhook("shopify", "customers/delete", {"id": 56}, landing_id="delete")
    raw.webhook("shopify", "themes/publish", {"id": 1, "name": "Dawn"}, landing_id="unknown topic")
    late = {"customer_id": 1, "email_address": "ann@example.com", "email_marketing_consent": UNSUBSCRIBED}
    raw.webhook(
        "shopify",
        "customers_email_marketing_consent/update",
        late,
        landing_id="after the clock",
        received_at=ago(seconds=-1),
    )


def misfits(raw: Raw) -> None:
    """Rows that do not fit."""
    raw.customer(61, "odd@example.com", email_consent={"state": "subscribed", "consent_updated_at": "soon"})
    raw.order(601, 61, ago(days=3))
    raw.order(602, 61, "yesterday", created_at=None, updated_at=ago(days=3).isoformat())
    raw.order(603, 61, ago(days=3), total="a lot")
    raw.customer(62, "maybe-so@example.com", email_consent={"state": "perhaps", "consent_updated_at": None})
    raw.order(604, 62, ago(days=3))
    raw.webhook("twilio", "unknown", {"_unparsed": "PGh0bWw+"}, landing_id="unparsed")
    stateless = {"customer_id": 61, "email_marketing_consent": {"state": ["unsubscribed"]}}
    raw.webhook("shopify", "customers_email_marketing_consent/update", stateless, landing_id="stateless")
    raw.webhook("klaviyo", "", {"data": "none"}, landing_id="no items")


def registrants(raw: Raw) -> None:
    """People whose records carry a registrant id of AEvent, or what a broken mapping leaves there."""
    carried = {"aevent_registrant_id": " 0012ab "}
    raw.customer(71, "shopper@example.com", registrant="0012ab")
    raw.profile("K71", "reader@example.com", properties=carried)
    raw.profile("K72", "other-case@example.com", properties={"aevent_registrant_id": "0012AB"})
    raw.profile("K73", "leading-zeros@example.com", properties={"aevent_registrant_id": "12ab"})
    raw.customer(75, "told@example.com")
    call = {"page": "webhook", "wtl": "abc123", "value": "Buyer", "event": "tag:buyer"}
    raw.webhook("aevent", "tag", {**call, "r": "0012ab"}, landing_id="by r", received_at=ago(hours=2))
    raw.webhook("aevent", "tag", {**call, "email": "told@example.com"}, landing_id="by e-mail")
    raw.webhook("aevent", "tag", {**call, "r": "unheard-of"}, landing_id="unknown registrant")
    raw.webhook("aevent", "tag", {**call, "r": "0012ab", "event": ""}, landing_id="without a name")
    for number, left_over in enumerate(("null", "X", "", " ", "undefined", None, {"id": "0012ab"}, ["0012ab"])):
        raw.profile(f"K74{number}", f"nobody-{number}@example.com", properties={"aevent_registrant_id": left_over})
