from pathlib import Path

from orchestration.activation.funnel import funnels
from tests.activation.shop import Shop


def test_people_pass_the_steps_in_order_and_by_their_best_identifier(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.audience()
    shop.build({"buyers": [1, 2]})
    shop.plan()
    shop.apply()
    with shop.open() as connection:
        connection.execute(
            "CREATE OR REPLACE TABLE exclusions.buyers (person_id VARCHAR, reason_codes VARCHAR[], lead_reason VARCHAR)"
        )
        for person, codes in (
            ("p3", ["no_identifier"]),
            ("p4", ["withdrawn"]),
            ("p5", ["no_grant", "under_age"]),
            ("p6", ["age_no_evidence"]),
            ("p7", ["left"]),
            ("p8", ["withdrawn"]),
            ("p8", ["holdout"]),
        ):
            connection.execute("INSERT INTO exclusions.buyers VALUES (?, ?, ?)", [person, codes, codes[0]])
        [funnel] = funnels(connection, shop.state, shop.catalogue)
    assert funnel.steps() == [
        ("interested", 8), ("identified", 7), ("consented", 5), ("of age", 4), ("admitted", 2), ("accepted", 2),
    ]  # fmt: skip
    assert funnel.reasons["withdrawn"] == 2


def test_an_audience_that_no_build_has_made_has_no_funnel(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.audience()
    with shop.open() as connection:
        assert funnels(connection, shop.state, shop.catalogue) == []
