"""Numbers the connected components of the joined records, for each purpose."""

import pyarrow as pa

from orchestration.identity.components import connected


def model(dbt, session):
    """One row per record: record_key, circle (joined for suppression), component (joined for targeting)."""
    records = dbt.ref("customer_records_latest")  # noqa: F841 - DuckDB finds these by their names
    joins = dbt.ref("identity_joins")  # noqa: F841
    nodes = session.sql("select record_key from records order by record_key").to_arrow_table()["record_key"]
    numbers = {}
    for name, purpose in (("circle", "suppression"), ("component", "targeting")):
        edges = session.sql(
            f"select record_key, other_record_key from joins where purpose = '{purpose}'"
        ).to_arrow_table()
        numbers[name] = connected(nodes, edges["record_key"], edges["other_record_key"])
    return pa.table({"record_key": nodes, **numbers})
