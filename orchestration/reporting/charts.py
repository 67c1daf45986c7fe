"""The report's pictures: small inline SVG without colours of its own, which the page's style sheet gives it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pygal
from pygal.etree import etree
from pygal.style import Style

_WIDTH, _BAR, _ROOM = 420, 32, 18
#: As in the report's style sheet, on a ground that suits light and dark pages.
_COLOURS = (
    "svg { background: #fff } text { font: 14px sans-serif; fill: #1b1f24 } .background { fill: none } "
    ".axis path, .axis line { stroke: none } "
    + " ".join(
        f".color-{place} .rect, .legend .color-{place} {{ fill: {colour}; stroke: none }}"
        for place, colour in enumerate(("#7fb3e6", "#e59a8c", "#e6cf7a", "#c8a8dc", "#b9c0c8"))
    )
)
_STYLE = Style(label_font_size=14, value_font_size=14, legend_font_size=14, font_family="sans-serif")


def funnel(steps: Sequence[tuple[str, int]]) -> str:
    """A bar per step, the first one on top."""
    chart = pygal.HorizontalBar(_config(len(steps)), show_legend=False)
    chart.x_labels = [name for name, _ in reversed(steps)]
    chart.add("people", [count for _, count in reversed(steps)])
    return _svg(chart)


def shares(labels: Sequence[str], parts: Sequence[tuple[str, Sequence[int]]]) -> str:
    """A bar per label, divided into parts that are named in the legend."""
    # A row of the legend below takes less room than a bar.
    config = _config(len(labels) + (len(parts) + 1) // 2)
    chart = pygal.HorizontalStackedBar(config, legend_at_bottom=True, legend_at_bottom_columns=2, print_values=False)
    chart.x_labels = list(reversed(labels))
    for name, counts in parts:
        chart.add(name, list(reversed(counts)))
    return _svg(chart)


def standing_alone(svg: str) -> str:
    """A picture as a data address with colours of its own, for places that have no style sheet of ours."""
    coloured = svg.replace(">", f"><style>{_COLOURS}</style>", 1)
    return f"data:image/svg+xml;base64,{b64encode(coloured.encode()).decode()}"


def _config(rows: int) -> Any:
    return pygal.Config(
        css=(),
        js=(),
        style=_STYLE,
        width=_WIDTH,
        height=rows * _BAR + _ROOM,
        margin=4,
        spacing=6,
        legend_box_size=12,
        print_values=True,
        show_x_labels=False,
        show_x_guides=False,
        show_y_guides=False,
        value_formatter=lambda value: f"{value:,.0f}",
    )


def _svg(chart: Any) -> str:
    """The chart without what only serves its own script: that, tooltips, and descriptions of single bars."""
    tree = chart.render_tree()
    for parent in list(tree.iter()):
        for child in list(parent):
            unwanted = not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in ("defs", "desc", "title")
            if unwanted or "tooltip-overlay" in child.get("class", ""):
                parent.remove(child)
    tree.attrib.pop("id", None)
    # What is drawn is said in words beside it.
    tree.set("aria-hidden", "true")
    return str(etree.tostring(tree, encoding="unicode"))
