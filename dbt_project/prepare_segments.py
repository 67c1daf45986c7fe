"""Prepares models/segments for dbt: sets broken segments aside, and names the destinations of the sound ones.

dbt stops the whole project at YAML it cannot read and at a `ref` to a model that is not there. A segment like that is
listed in `.dbtignore` instead, so that it fails alone and its last good audience stays. Each destination of a sound
twin becomes an exposure in models/generated, which shows it in the lineage. Run this before dbt; both files are
rewritten only when they change, and neither is kept in git.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, TemplateSyntaxError

PROJECT = Path(__file__).parent
TARGETS = ("list", "tag", "property")
_REF = re.compile(r"\bref\(\s*['\"]([^'\"]+)['\"]")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a segment is set aside: its name, the file to mend and what to do there."""

    segment: str
    file: str
    message: str

    def __str__(self) -> str:
        return f"models/segments/{self.file}: {self.message}"


def prepare(project: Path = PROJECT, also: Mapping[str, str] | None = None) -> list[Fault]:
    """Write .dbtignore and the exposures; returns the faults. `also` sets further segments aside, with the reason."""
    files = (project / "models" / "segments").iterdir()
    segments = sorted({path.stem for path in files if path.suffix in (".sql", ".yml")})
    known = _models(project)
    faults = [fault for name in segments if (fault := _fault(project, name, known))]
    named = {fault.segment for fault in faults}
    faults += [Fault(name, f"{name}.sql", reason) for name, reason in (also or {}).items() if name not in named]
    aside = sorted({fault.segment for fault in faults})
    _write(project / ".dbtignore", "".join(f"models/segments/{name}.*\n" for name in aside))
    twins = {name: _twin(project, name) for name in segments if name not in aside}
    exposures = [exposure for name, twin in twins.items() for exposure in _exposures(name, twin)]
    text = yaml.safe_dump({"version": 2, "exposures": exposures}, sort_keys=False, width=120)
    _write(project / "models" / "generated" / "_exposures.yml", text)
    return faults


def segments_named_in(message: str) -> list[str]:
    """Segments whose files a message of dbt names: what to pass as `also` when dbt refuses the project for them."""
    return sorted(set(re.findall(r"models/segments/(\w+)\.(?:sql|yml|yaml)", message)))


def _fault(project: Path, name: str, known: set[str]) -> Fault | None:
    folder = project / "models" / "segments"
    sql, twin = f"{name}.sql", f"{name}.yml"
    if not _NAME.fullmatch(name):
        return Fault(name, sql, "the name may hold lower-case letters, digits and underscores only. Rename both files.")
    if not (folder / sql).exists():
        return Fault(name, sql, "the twin has no SQL beside it. Write the SELECT, or delete the twin.")
    if not (folder / twin).exists():
        return Fault(name, twin, "is missing. Write the twin: name, description, owner, rule, audience.")
    try:
        text = (folder / sql).read_text()
        Environment(autoescape=False).parse(text)  # noqa: S701 - it is SQL
    except (TemplateSyntaxError, UnicodeDecodeError) as error:
        return Fault(name, sql, f"cannot be read: {error}. Mend the braces.")
    missing = sorted(set(_REF.findall(text)) - known)
    if missing:
        return Fault(name, sql, f"ref('{missing[0]}') names no model. Write the name of a model in marts.")
    try:
        document = yaml.safe_load((folder / twin).read_text())
        names = [model["name"] for model in document["models"]]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        where = str(getattr(error, "problem_mark", "") or "").strip()
        return Fault(name, twin, f"is no YAML that lists models {where}. Check indentation, colons and quotes.")
    if names != [name]:
        return Fault(name, twin, f"describes {names}. Write `- name: {name}` and nothing else under models.")
    return None


def _models(project: Path) -> set[str]:
    patterns = ("models/**/*.sql", "models/**/*.py", "seeds/*.csv")
    return {path.stem for pattern in patterns for path in project.glob(pattern)}


def _twin(project: Path, name: str) -> dict[str, Any]:
    document = yaml.safe_load((project / "models" / "segments" / f"{name}.yml").read_text())
    config = document["models"][0].get("config")
    meta = config.get("meta") if isinstance(config, dict) else None
    return meta if isinstance(meta, dict) else {}


def _exposures(name: str, twin: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    audience = twin.get("audience")
    destinations = audience.get("destinations") if isinstance(audience, dict) else None
    for destination in destinations if isinstance(destinations, list) else []:
        kinds = [kind for kind in TARGETS if isinstance(destination, dict) and destination.get(kind)]
        if len(kinds) != 1:
            continue
        platform, account, target = destination.get("platform"), destination.get("account"), destination[kinds[0]]
        yield {
            "name": re.sub(r"\W+", "_", f"{name}__{platform}__{account}__{target}").lower(),
            "label": f"{platform} {account}: {kinds[0]} {target}",
            "type": "application",
            "description": f"The audience {name} as a {kinds[0]} of {platform}.",
            "owner": {"name": str(twin.get("owner") or "nobody")},
            "depends_on": [f"ref('{name}')"],
            "config": {"meta": {"platform": platform, "account": account, "kind": kinds[0], "target": target}},
        }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


if __name__ == "__main__":
    sys.stderr.writelines(f"{fault}\n" for fault in prepare())
