"""Numbers the connected components of the joined records, for each purpose."""

import pyarrow as pa

from orchestration.identity.components import connected

CIRCLE = "select record_key, other_record_key from joins where purpose = 'suppression'"
COMPONENT = "select record_key, other_record_key from joins where purpose = 'targeting'"
# Proof of age goes with an address and a name, and with what an authentication says is one. Nobody was asked for a
# proof who was merged by hand or by a platform, or whose record has no name and goes with an address or a number.
PROOF = """
    with joined as (
        select * from joins where purpose = 'targeting'
    ),
    shown as (
        select key, record_key as hub, other_record_key as record_key from joined where reason = 'email'
        union
        select key, record_key as hub, record_key from joined where reason = 'email'
    ),
    named as (
        select record_key from records
        where trim(concat_ws(' ', first_name, last_name)) <> ''
    )
    select
        shown.record_key,
        min(shown.record_key) over (partition by shown.key, shown.hub) as other_record_key
    from shown
    semi join named on shown.record_key = named.record_key
    union all
    select record_key, other_record_key from joined
    where reason not in ('by_hand', 'platform_merge', 'email', 'phone')
"""


def model(dbt, session):
    """One row per record: record_key, circle (joined for suppression), component (for targeting), proof (of age)."""
    records = dbt.ref("customer_records_latest")  # noqa: F841 - DuckDB finds these by their names
    joins = dbt.ref("identity_joins")  # noqa: F841
    nodes = session.sql("select record_key from records order by record_key").to_arrow_table()["record_key"]
    numbers = {}
    for name, sql in (("circle", CIRCLE), ("component", COMPONENT), ("proof", PROOF)):
        edges = session.sql(sql).to_arrow_table()
        numbers[name] = connected(nodes, edges["record_key"], edges["other_record_key"])
    return pa.table({"record_key": nodes, **numbers})
