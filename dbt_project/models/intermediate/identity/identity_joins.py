"""Which records are joined for what, and why: for suppression by any key, for targeting by little."""

import pyarrow as pa

from orchestration.identity.components import Limits, join

RECORDS = """
    select record_key, platform || ':' || account as account, concat_ws(' ', first_name, last_name) as name
    from records
"""
# Whatever a record once showed may be reached by it, and so may be blocked with it.
WIDE = """
    select distinct keys.record_key, keys.key_type, keys.key, true as joins
    from (
        select record_key, key_type, unnest(suppression_keys) as key
        from keys where may_join
    ) as keys
    anti join shared on keys.key = shared.key
    where not contains(keys.key, 'phone_end:')
"""
# Who was taken apart from somebody by hand is joined by hand alone.
NARROW = """
    select distinct
        keys.record_key,
        keys.key_type,
        coalesce(keys.target_key, keys.told) as key,
        keys.may_join and keys.target_key is not null and shared.key is null and apart.other_record_key is null as joins
    from keys
    left join shared on keys.own_key = shared.key
    left join (
        select distinct other_record_key from links where reason = 'by_hand' and retracted
    ) as apart
        on keys.record_key = apart.other_record_key
    where keys.is_current
"""


def model(dbt, session):
    """One row per purpose, pair of records and reason: purpose, record_key, other_record_key, reason, key."""
    records = dbt.ref("customer_records_latest")  # noqa: F841 - DuckDB finds these by their names
    keys = dbt.ref("identity_keys")  # noqa: F841
    shared = dbt.ref("shared_keys")  # noqa: F841
    stated = dbt.ref("record_links")
    people = session.sql(RECORDS).to_arrow_table()
    links = stated.to_arrow_table()
    found = []
    for purpose, sql in (("suppression", WIDE), ("targeting", NARROW)):
        shown = session.sql(sql).to_arrow_table()
        joins = join(people, shown, links, purpose=purpose, limits=Limits(names=None, records=None)).joins
        # A shop whose records share nothing has no joins, and still a text for their purpose.
        purposes = pa.array([purpose] * joins.num_rows, pa.string())
        found.append(joins.drop_columns("component").add_column(0, "purpose", [purposes]))
    return pa.concat_tables(found)
