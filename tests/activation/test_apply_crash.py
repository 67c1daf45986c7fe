"""A real process is killed while it applies; whoever runs next finds the right end."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.activation.dying import POINTS, Vendor
from tests.activation.shop import Shop

LIST = "list:Buyers"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.audience()
    shop.build({"buyers": [1, 2, 3]})
    shop.plan()
    return shop


def killed(shop: Shop, point: str) -> None:
    """Apply in a process that is killed at `point`, then open the destination as it was left."""
    command = [sys.executable, "-m", "tests.activation.dying", str(shop.folder), point]
    assert subprocess.run(command, cwd=Path(__file__).parents[2], timeout=60, check=False).returncode == -9
    shop.mailer = Vendor(shop.folder)


@pytest.mark.parametrize("point", POINTS)
def test_the_next_run_ends_where_an_undisturbed_one_does(shop: Shop, point: str) -> None:
    killed(shop, point)
    assert set(shop.memberships().values()) == {"pending"}
    result = shop.apply()["buyers"]
    assert (result.status, result.accepted) == ("applied", 3)
    assert shop.on(LIST) == {1, 2, 3}
    assert set(shop.memberships().values()) == {"accepted"}


@pytest.mark.parametrize("point", POINTS)
def test_who_was_suppressed_meanwhile_is_taken_back(shop: Shop, point: str) -> None:
    killed(shop, point)
    shop.gate.block("email:p2@example.com")
    shop.apply()
    assert shop.on(LIST) == {1, 3}
    assert shop.memberships()["r2"] == "removed"


@pytest.mark.parametrize("point", POINTS)
def test_who_left_meanwhile_is_removed_by_the_plan_of_the_next_build(shop: Shop, point: str) -> None:
    killed(shop, point)
    shop.build({"buyers": [1, 3]})
    shop.plan()
    shop.apply()
    assert shop.on(LIST) == {1, 3}
    assert shop.plan()["buyers"].status == "nothing"


@pytest.mark.parametrize("point", POINTS)
def test_who_must_go_by_the_next_build_is_gone_also_when_the_job_ends_after_the_removal(shop: Shop, point: str) -> None:
    killed(shop, point)
    shop.build({"buyers": [1, 3]}, refused={2: "withdrawn"})
    shop.plan()
    shop.apply()
    assert shop.on(LIST) == {1, 3}
    assert shop.memberships() == {"r1": "accepted", "r2": "removed", "r3": "accepted"}


def test_a_job_that_was_stored_is_followed_not_made_again(shop: Shop) -> None:
    killed(shop, "while the job runs")
    shop.apply()
    assert shop.mailer.log == [("poll", "job-0", ())]
    assert len(shop.mailer.made) == 1


def test_a_job_of_a_superseded_plan_is_followed_to_its_end(shop: Shop) -> None:
    killed(shop, "while the job runs")
    shop.build({"buyers": []}, stale=["buyers"])
    shop.plan()
    shop.gate.block("email:p2@example.com")
    shop.apply()
    assert shop.mailer.log[0] == ("poll", "job-0", ())
    assert shop.on(LIST) == {1, 3}
    assert shop.memberships() == {"r1": "accepted", "r2": "removed", "r3": "accepted"}
