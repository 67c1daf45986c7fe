"""Reads each distinct identifier as told, once: the one key it certainly is, and every key it may be blocked by."""

import hashlib
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa

from orchestration.identity import keys
from orchestration.identity.lists import from_seeds

LIBRARIES = ("email-validator", "idna", "phonenumbers")
COLUMNS = (
    "identifier_type, told, read_in, target_key, fault, suppression_keys, blocked_by, is_role, is_blocked, is_relay, "
    "is_mistyped"
)


def reader():
    """By what the keys were made: a hash of our own reading and of the versions of the libraries."""
    made_of = hashlib.sha256()
    for file in sorted(Path(keys.__file__).parent.glob("*.py")):
        made_of.update(file.read_bytes())
    return "-".join([made_of.hexdigest()[:12], *(version(name) for name in LIBRARIES)])


def model(dbt, session):
    """One row per identifier type, text and countries; of an incremental run, those that were not read so before."""
    values = dbt.ref("identifier_values")  # noqa: F841 - DuckDB finds it by its name
    lists = from_seeds(
        domain_typos=dbt.ref("domain_typos").to_arrow_table(),
        role_addresses=dbt.ref("role_addresses").to_arrow_table(),
        email_providers=dbt.ref("email_providers").to_arrow_table(),
        relay_domains=dbt.ref("relay_domains").to_arrow_table(),
        blocked_identifiers=dbt.ref("blocked_identifiers").to_arrow_table(),
    )
    by = reader()
    new = "select * from values"
    if dbt.is_incremental:
        new = f"from values anti join (from {dbt.this} where read_by = '{by}') using (identifier_type, told, read_in)"
    given = session.sql(f"select identifier_type, told, read_in from ({new})").to_arrow_table()
    told = {kind: given.filter(pa.compute.equal(given["identifier_type"], kind)) for kind in ("email", "phone")}
    emails = keys.email_keys(told["email"]["told"], lists)  # noqa: F841
    countries = pa.compute.split_pattern(told["phone"]["read_in"], ",")
    phones = keys.phone_keys(told["phone"]["told"], countries, lists)  # noqa: F841
    return session.sql(
        f"""
        select {COLUMNS}, '{by}' as read_by
        from (
            select *, 'email' as identifier_type, value as told, '' as read_in from emails
            union all by name
            select *, 'phone' as identifier_type, value as told, array_to_string(countries, ',') as read_in from phones
        )
        """
    )
