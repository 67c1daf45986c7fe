"""Nothing is left out, switched off or swallowed: read from syntax and comments, so that no file is exempt."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_layout import committed, named

SWITCHES = {"skip", "skipif", "skipIf", "skipUnless", "skipTest", "xfail", "importorskip", "expectedFailure"}
NOTE = re.compile(r"\b(TODO|FIXME|XXX)\b")
BLANKET = re.compile(r"type: ignore(?!\[)|noqa(?!: ?[A-Z]+[0-9])|ruff: noqa|mypy: ignore-errors|pragma: no cover")
#: What a handler may consist of without having handled anything.
NOTHING = {"pass", "...", "continue", "break", "return", "return None"}


def unfinished(source: str) -> Iterator[str]:
    """What a Python file leaves out, switches off or swallows, by line; texts in strings do not count."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and (NOTE.search(token.string) or BLANKET.search(token.string)):
            yield f"{token.start[0]}: {token.string}"
    for node in ast.walk(ast.parse(source)):
        yield from (f"{node.lineno}: {what}" for what in _of(node))  # type: ignore[attr-defined]


def _of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and node.id == "NotImplementedError":
        yield "raises NotImplementedError"
    elif isinstance(node, ast.Attribute) and node.attr in SWITCHES and _of_a_runner(node.value):
        yield f"switches a test off by {node.attr}"
    elif isinstance(node, ast.ImportFrom) and node.module in ("unittest", "pytest"):
        yield from (f"imports {one.name}" for one in node.names if one.name in SWITCHES)
    elif isinstance(node, ast.ExceptHandler):
        if _is_broad(node.type) and all(ast.unparse(line) in NOTHING for line in node.body):
            yield "swallows whatever goes wrong"
    elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "suppress":
        yield from ("suppresses whatever goes wrong" for kind in node.args if _is_broad(kind))


def _of_a_runner(value: ast.expr) -> bool:
    return ast.unparse(value) in ("pytest", "pytest.mark", "mark", "unittest", "self")


def _is_broad(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(one, ast.Name) and one.id in ("Exception", "BaseException") for one in kinds)


def _tests(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def test_no_python_file_leaves_out_switches_off_or_swallows() -> None:
    found = {named(path): list(unfinished(path.read_text())) for path in committed() if path.suffix == ".py"}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_no_model_or_setting_holds_a_note_of_unfinished_work() -> None:
    texts = {named(path): path.read_text() for path in committed() if path.suffix in {".sql", ".yml", ".toml", ".j2"}}
    assert {name for name, text in texts.items() if NOTE.search(text)} == set()


@pytest.mark.parametrize(
    "source",
    [
        "pytest.skip('later')",
        "pytest.importorskip('dlt')",
        "@pytest.mark.skipif(True, reason='')\ndef test(): assert x",
        "pytestmark = pytest.mark.xfail",
        "from unittest import skip",
        "self.skipTest('later')",
        "raise NotImplementedError",
        "try:\n    f()\nexcept Exception:\n    pass",
        "try:\n    f()\nexcept (ValueError, Exception):\n    ...",
        "try:\n    f()\nexcept:\n    pass",
        "for x in y:\n    try:\n        f()\n    except BaseException:\n        continue",
        "with contextlib.suppress(Exception):\n    f()",
        "f()  # type: ignore",
        "f()  # noqa",
        "# ruff: noqa",
        "# TODO: later",
    ],
)
def test_what_is_left_out_switched_off_or_swallowed_is_found(source: str) -> None:
    assert len(list(unfinished(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "text = 'pytest.skip, NotImplementedError, TODO'",
        "rows.skip(1)",
        "try:\n    f()\nexcept Exception as error:\n    log(error)",
        "try:\n    f()\nexcept OSError:\n    pass",
        "with contextlib.suppress(OSError):\n    f()",
        "f()  # type: ignore[attr-defined]",
        "f()  # noqa: S311 - repeatable on purpose",
    ],
)
def test_what_is_handled_or_only_named_is_not(source: str) -> None:
    assert list(unfinished(source)) == []
