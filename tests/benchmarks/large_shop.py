"""A large shop in raw, written by DuckDB itself: records and events in the platforms' own shapes, no HTTP in between.

Person n has the e-mail n@…; Shopify knows 10 of 19 records, Klaviyo 9 of 19, so most people are known to both. One
statement in eight is a withdrawal. Times are spread over two years before `as_of`.
"""

from __future__ import annotations

import duckdb

_VERSION = "'main' AS account, {id} AS record_id, {at} AS updated_at, now() AS extracted_at, payload, sha256(payload)"
_EMAIL, _PHONE = "'p' || n || '@example.com'", "'+1415' || lpad(n::VARCHAR, 8, '0')"
_AGO = "(SELECT as_of FROM bench) - to_seconds((hash(n, '{salt}') % 63072000)::BIGINT)"
_ISO = "strftime({at}, '%Y-%m-%dT%H:%M:%SZ')"

_PROFILE = """
    json_object('type', 'profile', 'id', 'K' || n, 'attributes', json_object(
        'email', {email}, 'phone_number', {phone}, 'first_name', 'A' || n, 'last_name', 'B', 'locale', 'en',
        'location', json_object('country', 'United States', 'region', 'California', 'zip', '94110'),
        'properties', {properties}, 'created', {created}, 'updated', {updated},
        'subscriptions', json_object(
            'email', json_object('marketing', json_object(
                'consent', CASE WHEN ({turn}) % 8 = 3 THEN 'UNSUBSCRIBED' ELSE 'SUBSCRIBED' END, 'method', 'FORM',
                'consent_timestamp', {created}, 'last_updated', {created}, 'double_optin', false,
                'suppression', [], 'list_suppressions', [])),
            'sms', json_object('marketing', json_object(
                'consent', CASE WHEN ({turn}) % 3 = 0 THEN 'SUBSCRIBED' ELSE 'NEVER_SUBSCRIBED' END,
                'consent_timestamp', {created}, 'last_updated', {created}))))) """
_CUSTOMER = """
    json_object('id', n, 'email', {email}, 'phone', {phone}, 'first_name', 'A' || n, 'last_name', 'B', 'tags', '',
        'created_at', {created}, 'updated_at', {updated}, 'metafields', [],
        'default_address', json_object('country_code', 'US', 'province_code', 'CA', 'zip', '94110'),
        'email_marketing_consent', json_object('state', CASE WHEN n % 16 = 5 THEN 'unsubscribed' ELSE 'subscribed' END,
            'opt_in_level', 'single_opt_in', 'consent_updated_at', {created}),
        'sms_marketing_consent', json_object('state', 'not_subscribed', 'opt_in_level', 'single_opt_in',
            'consent_updated_at', NULL)) """
_EVENT = """
    json_object('type', 'event', 'id', 'E' || n, 'attributes', json_object('datetime', {at}, 'timestamp', 1,
            'event_properties', json_object('page', 'p' || n % 50)),
        'relationships', json_object(
            'metric', json_object('data', json_object('type', 'metric', 'id', 'M' || n % 3)),
            'profile', json_object('data', json_object('type', 'profile', 'id', 'K' || {who})))) """
_ORDER = """
    json_object('id', n, 'name', '#' || n, 'email', 'p' || {who} || '@example.com', 'financial_status', 'paid',
        'customer', json_object('id', {who}, 'first_name', 'A', 'last_name', 'B'), 'currency', 'USD', 'tags', '',
        'shipping_address', json_object('country_code', 'US', 'province_code', 'CA'),
        'line_items', [json_object('sku', CASE WHEN n % 9 = 0 THEN 'VAPE-1' ELSE 'TEE-1' END)],
        'total_price', (10 + n % 90)::VARCHAR, 'created_at', {at}, 'processed_at', {at}, 'updated_at', {at}) """
_MESSAGE = """
    json_object('sid', 'SM' || n, 'from', '+14155550000', 'to', '+1415' || lpad(({who})::VARCHAR, 8, '0'),
        'direction', 'outbound-api', 'status', 'delivered', 'body', 'hello', 'error_code', NULL,
        'date_created', {at}, 'date_sent', {at}, 'date_updated', {at}) """


def fill(connection: duckdb.DuckDBPyConnection, records: int, events: int, *, first: int = 0) -> None:
    """Add `records` customer records and `events` events, numbered from `first` on; existing people act in them."""
    connection.execute("CREATE TABLE IF NOT EXISTS bench AS SELECT date_trunc('second', now()) AS as_of")
    customers, profiles = records * 10 // 19, records * 9 // 19
    people = max(first, customers)
    created, updated = (_ISO.format(at=_AGO.format(salt=salt)) for salt in ("created", "updated"))
    about = {"email": _EMAIL, "phone": _PHONE, "created": created, "updated": updated}
    about |= {"turn": "n", "properties": "json_object()"}
    at = _AGO.format(salt="updated")
    _insert(connection, "klaviyo.profiles", _PROFILE.format(**about), "'K' || n", at, first, profiles)
    _insert(connection, "shopify.customers", _CUSTOMER.format(**about), "n::VARCHAR", at, first, customers)
    if not first:
        metrics = "json_object('type', 'metric', 'id', 'M' || n, 'attributes', json_object('name', {}))"
        name = "['Viewed Product', 'Active on Site', 'Webinar Registered'][n + 1]"
        _insert(connection, "klaviyo.metrics", metrics.format(name), "'M' || n", "NULL::TIMESTAMPTZ", 0, 3)
    who, at = f"(hash(n, 'who') % {people})", _AGO.format(salt="at")
    rfc = f"strftime({at}, '%a, %d %b %Y %H:%M:%S +0000')"
    start = first * 10
    made = {"who": who, "at": _ISO.format(at=at)}
    _insert(connection, "klaviyo.events", _EVENT.format(**made), "'E' || n", at, start, events * 6 // 10)
    _insert(connection, "shopify.orders", _ORDER.format(**made), "n::VARCHAR", at, start, events * 3 // 10)
    messages = _MESSAGE.format(who=who, at=rfc)
    _insert(connection, "twilio.messages", messages, "'SM' || n", at, start, events // 10)


def add_history(connection: duckdb.DuckDBPyConnection, records: int, versions: int, *, first: int = 0) -> None:
    """Add older versions of the profiles that `fill` made, with other consents; one person in four tells their age."""
    turn, seconds = "n + version", "((hash(n, 'updated') % 63072000)::BIGINT + version * 1000000)"
    at = f"(SELECT as_of FROM bench) - to_seconds({seconds})"
    about = {"email": _EMAIL, "phone": _PHONE, "created": _ISO.format(at=at), "updated": _ISO.format(at=at)}
    born = "strftime(DATE '1950-01-01' + (hash(n, 'born') % 20000)::INTEGER, '%Y-%m-%d')"
    about |= {"properties": f"CASE WHEN n % 4 = 0 THEN json_object('date_of_birth', {born}) ELSE json_object() END"}
    payload = _PROFILE.format(**about, turn=turn)
    profiles = records * 9 // 19
    version = _VERSION.format(id="'K' || n", at=at)
    connection.execute(
        f"INSERT INTO raw_klaviyo.profiles SELECT {version} "
        f"FROM (SELECT n, version, ({payload})::VARCHAR AS payload "
        f"FROM range({first}, {first + profiles}) AS numbers (n), range(1, {versions + 1}) AS versions (version))"
    )


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, payload: str, key: str, at: str, first: int, count: int
) -> None:
    connection.execute(
        f"INSERT INTO raw_{table} SELECT {_VERSION.format(id=key, at=at)} "
        f"FROM (SELECT n, ({payload})::VARCHAR AS payload FROM range({first}, {first + count}) AS numbers (n))"
    )
