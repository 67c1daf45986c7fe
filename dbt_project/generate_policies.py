"""The table of policies on the analysts' page, written from the seed: `python dbt_project/generate_policies.py`."""

from __future__ import annotations

import csv
import re
from pathlib import Path

PROJECT = Path(__file__).parent
PAGE = PROJECT.parent / "docs" / "reading_decisions.md"
_BEGIN, _END = "<!-- policies -->\n", "\n<!-- /policies -->"


def render(project: Path = PROJECT) -> str:
    """One row per policy.

    Raises ValueError when the seed names one that nothing reads: it would promise what nobody keeps.
    """
    with (project / "seeds" / "policies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    code = _code(project)
    if idle := [row["policy"] for row in rows if row["policy"] not in code]:
        raise ValueError(f"seeds/policies.csv: nothing reads {', '.join(idle)}. Let a model read it, or drop the row.")
    lines = ["| policy | default | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{row['policy']}` | `{row['value']}` | {row['meaning']} |" for row in rows]
    return "\n".join(lines)


def insert(text: str) -> str:
    """The page's text with the table between its two marks."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{render()}{_END}{after}"


def _code(project: Path) -> set[str]:
    """What models ask for, what rows of legality name, and every word in quotes of what reads `policies`."""
    paths = [path for folder in ("models", "macros") for path in (project / folder).glob("**/*.*")]
    found = {name for path in paths for name in re.findall(r"polic(?:y\(|ies\[)'(\w+)'", path.read_text())}
    for path in (project.parent / "orchestration").glob("**/*.py"):
        text = path.read_text()
        if "policies" in text:
            found |= set(re.findall(r"[\"'](\w+)[\"']", text))
    with (project / "seeds" / "channel_category_legality.csv").open(newline="") as file:
        return found | {row["unless_policy"] for row in csv.DictReader(file)}


if __name__ == "__main__":
    PAGE.write_text(insert(PAGE.read_text()))
