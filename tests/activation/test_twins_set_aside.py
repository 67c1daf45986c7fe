"""A segment that dbt cannot read is held, never taken for a retired one."""

from pathlib import Path

import orjson

from orchestration.activation.catalogue import Audience, Catalogue, Place
from orchestration.activation.twins import collect

_PLACE = Place(platform="klaviyo", account="main", target="list:Recent buyers")
_FORMER = Audience(
    name="recent_buyers",
    channel="email",
    purpose="marketing",
    topic="marketing",
    brand="acme",
    question_id="q",
    destinations=(_PLACE,),
)


def _collect(tmp_path: Path, set_aside):
    manifest = tmp_path / "manifest.json"
    manifest.write_bytes(orjson.dumps({"nodes": {}}))
    return collect(
        manifest,
        build_id=2,
        platforms=[],
        accounts=None,
        former=Catalogue(1, (_FORMER,)),
        with_members={"recent_buyers"},
        set_aside=set_aside,
    )


def test_a_segment_that_dbt_cannot_read_keeps_its_last_good_entry_and_is_held(tmp_path):
    catalogue, problems = _collect(tmp_path, [("recent_buyers", "recent_buyers.sql", "Mend the braces.")])
    assert not catalogue["recent_buyers"].retired
    assert "Mend the braces." in catalogue["recent_buyers"].held_because[0]
    assert [str(problem) for problem in problems] == list(catalogue["recent_buyers"].held_because)


def test_a_segment_that_was_deleted_is_retired(tmp_path):
    catalogue, problems = _collect(tmp_path, [])
    assert catalogue["recent_buyers"].retired
    assert problems == []
