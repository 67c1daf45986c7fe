"""The report's pictures: small inline SVG without colours of its own, which the page's style sheet gives it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pygal
from pygal.etree import etree
from pygal.style import Style

_WIDTH, _BAR, _ROOM = 420, 32, 18
#: For pictures that stand alone; those of the report take the page's colours.
_COLOURS = (
    "text{font:14px sans-serif;fill:#808080;stroke:none}.axis.y text{text-anchor:end}.background{fill:none}"
    ".axis path,.axis line{stroke:none;fill:none}.guides .line{display:none}.rect{fill:#4a7fb5}"
    + "".join(
        f".color-{place} .rect,.legend .color-{place}{{fill:{colour}}}"
        for place, colour in enumerate(("#3f8f5f", "#b5523f", "#c9a13b", "#8a8fa0", "#b9bdc9"))
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


def embedded(svg: str, title: str) -> str:
    """A picture as Markdown that needs no page around it: with colours of its own, which read on light and dark."""
    styled = svg.replace(">", f"><style>{_COLOURS}</style>", 1)
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(styled.encode()).decode()})"


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
