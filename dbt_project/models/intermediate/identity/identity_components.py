"""Numbers the connected components of the joined records, for each purpose."""

import pyarrow as pa

from orchestration.identity.components import connected

PURPOSES = {
    "circle": "purpose = 'suppression'",
    "component": "purpose = 'targeting'",
    # Who was merged by hand or by a platform was not asked for a proof.
    "proof": "purpose = 'targeting' and reason not in ('by_hand', 'platform_merge')",
}


def model(dbt, session):
    """One row per record: record_key, circle (joined for suppression), component (for targeting), proof (of age)."""
    records = dbt.ref("customer_records_latest")  # noqa: F841 - DuckDB finds these by their names
    joins = dbt.ref("identity_joins")  # noqa: F841
    nodes = session.sql("select record_key from records order by record_key").to_arrow_table()["record_key"]
    numbers = {}
    for name, which in PURPOSES.items():
        edges = session.sql(f"select record_key, other_record_key from joins where {which}").to_arrow_table()
        numbers[name] = connected(nodes, edges["record_key"], edges["other_record_key"])
    return pa.table({"record_key": nodes, **numbers})
