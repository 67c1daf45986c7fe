"""The table of policies on the analysts' page, written from the seed: `python dbt_project/generate_policies.py`."""

from __future__ import annotations

import csv
import re
from pathlib import Path

PROJECT = Path(__file__).parent
PAGE = PROJECT.parent / "docs" / "reading_decisions.md"
_BEGIN, _END = "<!-- policies -->\n", "\n<!-- /policies -->"


def render(project: Path = PROJECT) -> str:
    """One row per policy that something reads; what nothing reads is named below the table."""
    with (project / "seeds" / "policies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    code = _code(project)
    read = [row for row in rows if row["policy"] in code]
    noted = [f"`{row['policy']}`" for row in rows if row["policy"] not in code]
    lines = ["| policy | default | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{row['policy']}` | `{row['value']}` | {row['meaning']} |" for row in read]
    if noted:
        lines += ["", f"Noted in the seed, and read by nothing yet: {', '.join(noted)}."]
    return "\n".join(lines)


def insert(text: str) -> str:
    """The page's text with the table between its two marks."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{render()}{_END}{after}"


def _code(project: Path) -> set[str]:
    """What models ask for, what rows of legality name, and every word in quotes of what reads `policies`."""
    paths = [*project.glob("models/**/*.sql"), *project.glob("macros/**/*.sql")]
    found = {name for path in paths for name in re.findall(r"policy\('(\w+)'", path.read_text())}
    for path in (project.parent / "orchestration").glob("**/*.py"):
        text = path.read_text()
        if "policies" in text:
            found |= set(re.findall(r"[\"'](\w+)[\"']", text))
    with (project / "seeds" / "channel_category_legality.csv").open(newline="") as file:
        return found | {row["unless_policy"] for row in csv.DictReader(file)}


if __name__ == "__main__":
    PAGE.write_text(insert(PAGE.read_text()))
