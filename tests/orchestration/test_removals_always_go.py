"""A build that cannot be finished still sends the removals that it has planned."""

from pathlib import Path

import pytest
from dagster import materialize

from orchestration import building, pushing, reverse_etl
from orchestration.activation.plan import REMOVALS
from orchestration.resources import House


def test_removals_go_when_publishing_fails_and_the_failure_is_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIENCES_HOME", str(tmp_path))
    applied: list[str] = []

    def full_disk(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(building, "finish", full_disk)
    monkeypatch.setattr(pushing, "apply_ready", lambda *_, path, **__: applied.append(path) or [])
    result = materialize([reverse_etl.plans], resources={"house": House()}, raise_on_error=False)
    assert applied == [REMOVALS]
    assert not result.success
