"""The registrant id of AEvent, in the field of each account that the sandbox's configuration names."""

from __future__ import annotations

import requests

from sandbox import Sandbox

HOLDER = "aevent:main"


def carried(sandbox: Sandbox, session: requests.Session, platform: str, record: str) -> str | None:
    """What the configured field of a record says, asked the platform's own way."""
    url, field = sandbox.urls[platform], sandbox.config[platform]["external_ids"][HOLDER]
    if platform == "hubspot":
        row = session.get(f"{url}/crm/objects/2026-09/contacts/{record}", params={"properties": field}, timeout=5)
        return _text(row.json()["properties"][field])
    if platform == "klaviyo":
        row = session.get(f"{url}/api/profiles/{record}", timeout=5)
        return _text(row.json()["data"]["attributes"]["properties"].get(field))
    namespace, key = field.split(".")
    row = session.get(f"{url}/admin/api/2026-10/customers/{record}/metafields.json", timeout=5)
    return next((f["value"] for f in row.json()["metafields"] if (f["namespace"], f["key"]) == (namespace, key)), None)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def test_the_configured_fields_carry_the_id_of_their_own_registrant(
    sandbox: Sandbox, hubspot: requests.Session, klaviyo: requests.Session, shopify: requests.Session
) -> None:
    sessions = {"hubspot": hubspot, "klaviyo": klaviyo, "shopify": shopify}
    people = [person for person in sandbox.people() if person["registrant_id"]]
    met: dict[str, set[str | None]] = {platform: set() for platform in sessions}
    for person in people:
        for platform, session in sessions.items():
            for record in person["records"].get(platform, ()):
                found = carried(sandbox, session, platform, record)
                assert found in (None, person["registrant_id"])
                met[platform].add(found)
    assert None not in met["hubspot"]
    assert all(len(met[platform] - {None}) > 0 for platform in sessions)
    assert None in met["klaviyo"]


def test_who_never_registered_has_no_id(sandbox: Sandbox, hubspot: requests.Session) -> None:
    person = sandbox.people("good_buyer")[0]
    assert person["registrant_id"] is None
    assert carried(sandbox, hubspot, "hubspot", person["records"]["hubspot"][0]) is None


def test_a_registrant_is_found_by_the_id(sandbox: Sandbox) -> None:
    person = sandbox.people("joined_by_registrant")[0]
    assert sandbox.person(f"aevent:{person['registrant_id']}")["person"] == person["person"]
