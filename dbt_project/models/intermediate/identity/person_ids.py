"""Gives every component its person's id: the one that it had, else a new one that nobody ever had."""

import pyarrow as pa

from orchestration.identity.person_ids import assign

RECORDS = """
    select components.record_key, components.component, min(records.created_at) as first_seen
    from components
    inner join records on components.record_key = records.record_key
    group by all
"""


def model(dbt, session):
    """One row per record: record_key, person_id; and per event of this build: person_id, event, other, at_build."""
    components = dbt.ref("identity_components")  # noqa: F841 - DuckDB finds these by their names
    records = dbt.ref("customer_records")  # noqa: F841
    clock = dbt.ref("clock")  # noqa: F841
    last = dbt.source("audiences", "person_ids").to_arrow_table()
    history = dbt.source("audiences", "person_history").to_arrow_table()
    ((build,),) = session.sql("select max(build_id) from clock").fetchall()
    found = assign(session.sql(RECORDS).to_arrow_table(), last, history, build=build or 0)
    return pa.concat_tables([found.assignment, found.history], promote_options="default")
