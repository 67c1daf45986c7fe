"""Writes macros/generated/platforms.sql: which platforms have which shape, read from models/staging.

Run `python dbt_project/generate_platforms.py` after adding a platform's folder; tests/dbt fails while it is stale.
"""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parent
SHAPES = (
    "customer_records",
    "customer_events",
    "consent_events",
    "suppressions",
    "age_evidence",
    "landings",
)


def staging_models(project: Path = PROJECT) -> list[str]:
    """Names of all stg_ models, in order."""
    return sorted(path.stem for path in (project / "models" / "staging").glob("*/stg_*.sql"))


def platforms_with(shape: str, project: Path = PROJECT) -> list[str]:
    """Platforms whose staging folder holds the shape's model."""
    staging = project / "models" / "staging"
    # `cases` stands in for all platforms in `audiences decide`.
    folders = sorted(path for path in staging.iterdir() if path.is_dir() and path.name != "cases")
    return [folder.name for folder in folders if (folder / f"{folder.name}__{shape}.sql").exists()]


def render(project: Path = PROJECT) -> str:
    """The macro file's text."""
    lines = [
        "{# Written by generate_platforms.py from the folders of models/staging; not for editing. #}",
        "",
        "{% macro platforms_with(shape) %}",
        "    {{ return({",
    ]
    for shape in SHAPES:
        names = ", ".join(f"'{name}'" for name in platforms_with(shape, project))
        lines.append(f"        '{shape}': [{names}],")
    lines += ["    }[shape]) }}", "{% endmacro %}", "", "{% macro staging_models() %}", "    {{ return(["]
    lines += [f"        '{name}'," for name in staging_models(project)]
    lines += ["    ]) }}", "{% endmacro %}", ""]
    return "\n".join(lines)


def main() -> None:
    """Write the macro file."""
    (PROJECT / "macros" / "generated" / "platforms.sql").write_text(render())


if __name__ == "__main__":
    main()
