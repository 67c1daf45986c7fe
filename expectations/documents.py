"""Data Docs: Great Expectations' own pages of each validation, in a frame of ours that loads nothing from anywhere.

Its renderers say what is on a page. Only the frame is replaced, by a view with a template of its own, which is how
Great Expectations lets a site be changed: the frame it ships loads styles and scripts from five hosts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view.view import DefaultJinjaView

#: A page whose table has not been validated for so long is dropped.
_KEPT = timedelta(days=30)
_FOLDER = Path(__file__).parent / "pages"


class _Page(DefaultJinjaView):
    """One validation, or the list of all of them; sections are rendered by the templates of Great Expectations."""

    _template = "validation.j2"

    def __init__(self) -> None:
        super().__init__(custom_styles_directory=str(_FOLDER), custom_views_directory=str(_FOLDER))

    def _validate_document(self, document: Any) -> None:
        """Whatever its renderer made."""


def write(folder: Path, name: str, validation: Any) -> None:
    """Write the page of one suite's validation, and the list of all pages."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    entry: dict[str, Any] = {
        "name": name,
        "file": "".join(letter if letter.isalnum() or letter in "._" else "-" for letter in name) + ".html",
        "success": bool(validation.success),
        "evaluated": len(validation.results),
        "failed": sum(not result.success for result in validation.results),
        "at": now.isoformat(timespec="seconds"),
    }
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(validation)
    view: Any = _view()
    (folder / entry["file"]).write_text(view.render(document, entry=entry))
    entries = {**_entries(folder), name: entry}
    for old in [one for one in entries.values() if now - datetime.fromisoformat(one["at"]) > _KEPT]:
        (folder / old["file"]).unlink(missing_ok=True)
        del entries[old["name"]]
    (folder / "index.json").write_bytes(orjson.dumps(entries))
    (folder / "index.html").write_text(view.render({}, template="index.j2", entries=sorted(entries.items())))


@cache
def _view() -> _Page:
    return _Page()


def _entries(folder: Path) -> Mapping[str, dict[str, Any]]:
    try:
        return dict(orjson.loads((folder / "index.json").read_bytes()))
    except (FileNotFoundError, ValueError):
        return {}
