"""Keys that more people seem to share than one person's records would: they block who shows them, and join nobody."""

from orchestration.identity.components import Limits, shared

RECORDS = """
    select record_key, platform || ':' || account as account, concat_ws(' ', first_name, last_name) as name
    from records
"""

# An ending alone is too little to say anything by.
KEYS = """
    select distinct record_key, key_type, key, may_join as joins
    from (select record_key, key_type, unnest(suppression_keys) as key, may_join from keys)
    where not contains(key, 'phone_end:')
"""

# The shop's own; imaginary people of one file share the strictest of theirs.
LIMITS = """
    select min(policies['shared_node_names']::integer), min(policies['shared_node_customers']::integer) from clock
"""


def model(dbt, session):
    """One row per key: key_type, key, names, records."""
    clock = dbt.ref("clock")  # noqa: F841 - DuckDB finds these by their names
    records = dbt.ref("customer_records_latest")  # noqa: F841
    keys = dbt.ref("identity_keys")  # noqa: F841
    limits = Limits(*session.sql(LIMITS).fetchone())
    return shared(session.sql(RECORDS).to_arrow_table(), session.sql(KEYS).to_arrow_table(), limits)
