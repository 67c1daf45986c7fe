"""Numbers the connected components of the records that share an exact e-mail, phone or external key."""

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

NODES = """
    select record_key, row_number() over (order by record_key) - 1 as node
    from records
"""

# One edge per record and key, to the first record that shows the same key.
EDGES = """
    select
        nodes.node as source,
        min(nodes.node) over (partition by keys.key_type, keys.target_key) as target
    from keys
    inner join nodes on keys.record_key = nodes.record_key
    where keys.is_current
"""


def model(dbt, session):
    """One row per record: record_key, component."""
    # DuckDB finds these, and `nodes`, by their names.
    records = dbt.ref("customer_records_latest")  # noqa: F841
    keys = dbt.ref("identity_keys")  # noqa: F841
    nodes = session.sql(NODES).to_arrow_table()
    edges = session.sql(EDGES).fetchnumpy()
    graph = coo_array(
        (np.ones(len(edges["source"]), dtype=np.int8), (edges["source"], edges["target"])),
        shape=(nodes.num_rows, nodes.num_rows),
    )
    _, labels = connected_components(graph, directed=False)
    return pa.table({"record_key": nodes["record_key"], "component": labels})
