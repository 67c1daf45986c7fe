"""The platform matrix of the README, written from the registry: `python -m orchestration.matrix`."""

from __future__ import annotations

from pathlib import Path

from dlt_sources import registry
from orchestration.console import markdown_table
from orchestration.listing import Listed, listed

_PLURALS = {"list": "lists", "tag": "tags", "property": "properties"}
_BEGIN, _END = "<!-- platforms -->\n", "\n<!-- /platforms -->"


def render() -> str:
    """One row per platform: what is pulled, heard and pushed."""
    columns = ["platform", "pulls", "webhook topics", "audiences live in", "withdrawals", "erasure"]
    return markdown_table(columns, [_row(one) for one in listed()])


def insert(text: str) -> str:
    """The README's text with the matrix between its two marks."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{render()}{_END}{after}"


def _row(one: Listed) -> tuple[str, ...]:
    destination = registry.platform(one.name).destination_class()
    kinds = ", ".join(_PLURALS[kind] for kind in destination.target_kinds) if destination else ""
    channels = ", ".join(destination.channels) if destination and destination.offers("suppress") else ""
    return (
        f"[{one.title}](dlt_sources/platforms/{one.name}/README.md)",
        ", ".join(one.pulls),
        str(one.webhooks) if one.webhooks else "none",
        kinds or "nowhere",
        channels or "no",
        "yes" if "erase" in one.pushes else "no",
    )


if __name__ == "__main__":
    readme = Path("README.md")
    readme.write_text(insert(readme.read_text()))
