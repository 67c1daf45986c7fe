"""The picture of the flow that opens the README: `python docs/images/flow.py` writes flow.svg beside this file."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

PATH = Path(__file__).with_suffix(".svg")
_WIDTH, _HEIGHT, _WIDE, _HIGH = 940, 400, 160, 112
_COLUMNS, _ROWS = (10, 200, 390, 580, 770), (40, 238)


@dataclass(frozen=True, slots=True)
class Box:
    """A room (named by its place in the tree) or a platform, at a column and row, with what happens there."""

    name: str
    column: int
    row: int
    lines: tuple[str, ...]
    room: bool = True

    @property
    def left(self) -> int:
        """Its left edge."""
        return _COLUMNS[self.column]

    @property
    def top(self) -> int:
        """Its upper edge."""
        return _ROWS[self.row]


BOXES = (
    Box("platform APIs", 0, 0, ("customers, orders,", "events, consent"), room=False),
    Box("dlt_sources/", 1, 0, ("pulls what is new,", "as it is sent,", "into raw tables")),
    Box("dbt_project/", 2, 0, ("types, joins persons,", "decides who may be", "contacted, segments")),
    Box("expectations/", 3, 0, ("checks what may", "leave; additions", "wait if it fails")),
    Box("orchestration/activation/", 4, 0, ("plans the difference,", "asks the gate, sends")),
    Box("platform webhooks", 0, 1, ("opt-outs, bounces,", "orders, tags"), room=False),
    Box("orchestration/landing/", 1, 1, ("verifies, keeps for", "sure, then answers")),
    Box("orchestration/speed.py", 3, 1, ("the speed lane:", "ledger, then removal", "in under a second")),
    Box("lists, tags", 4, 1, ("and properties, at", "every CRM and mailer"), room=False),
)
#: From (x, y) to (x, y), with a word and where it stands.
_ARROWS = (
    ((170, 96), (198, 96), "", 0, 0),
    ((360, 96), (388, 96), "", 0, 0),
    ((550, 96), (578, 96), "", 0, 0),
    ((740, 96), (768, 96), "", 0, 0),
    ((170, 294), (198, 294), "", 0, 0),
    ((360, 294), (578, 294), "at once", 469, 286),
    ((310, 236), (420, 154), "with the next build", 300, 200),
    ((740, 294), (768, 294), "", 0, 0),
    ((850, 152), (850, 236), "changes", 880, 200),
    ((700, 236), (790, 154), "closes the gate", 690, 200),
)
_HEAD = (
    '<marker id="h" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path class="head" d="M0 0L8 4L0 8z"/></marker>'
)
_STYLE = """
text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;fill:#1b1f24}
.name{font-weight:600}.word{font-size:12px;fill:#535b66}.room{fill:#e3eefb;stroke:#4b7db8}
.platform{fill:#f2f3f5;stroke:#8a94a0}.arrow{stroke:#5b6673;stroke-width:1.6;fill:none}.head{fill:#5b6673}
@media (prefers-color-scheme:dark){text{fill:#e7eaee}.word{fill:#aab3bf}.room{fill:#1b3350;stroke:#6ea2dc}
.platform{fill:#23282e;stroke:#7c8794}.arrow{stroke:#9aa5b1}.head{fill:#9aa5b1}}
"""


def render() -> str:
    """The picture; readable on light and dark pages, with its meaning in words for those who do not see it."""
    said = "; ".join(f"{box.name}: {' '.join(box.lines)}" for box in BOXES)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="t d">',
        "<title id='t'>How data flows through Audiences</title>",
        f"<desc id='d'>{escape(said)}</desc><style>{_STYLE}</style>",
        f"<defs>{_HEAD}</defs>",
        '<text class="word" x="10" y="24">every day, and after webhooks: the whole way</text>',
        f'<text class="word" x="10" y="{_ROWS[1] + _HIGH + 24}">all the time: whoever opts out is out</text>',
        *(_arrow(*arrow) for arrow in _ARROWS),
        *(_box(box) for box in BOXES),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _box(box: Box) -> str:
    middle = box.left + _WIDE // 2
    # A room inside a folder is written below it, since both do not fit on one line.
    folder, slash, inner = box.name.partition("/")
    names = [folder + slash, inner] if inner else [box.name]
    lines = [("name", name) for name in names] + [("what", line) for line in box.lines]
    first = box.top + (_HIGH - 18 * len(lines)) // 2 + 14
    texts = [
        f'<text class="{kind}" x="{middle}" y="{first + 18 * number}" text-anchor="middle">{escape(line)}</text>'
        for number, (kind, line) in enumerate(lines)
    ]
    kind = "room" if box.room else "platform"
    frame = f'<rect class="{kind}" x="{box.left}" y="{box.top}" width="{_WIDE}" height="{_HIGH}" rx="8"/>'
    return frame + "".join(texts)


def _arrow(start: tuple[int, int], end: tuple[int, int], word: str, x: int, y: int) -> str:
    line = f'<path class="arrow" marker-end="url(#h)" d="M{start[0]} {start[1]}L{end[0]} {end[1]}"/>'
    return line + (f'<text class="word" x="{x}" y="{y}" text-anchor="middle">{escape(word)}</text>' if word else "")


if __name__ == "__main__":
    PATH.write_text(render())
