"""Nothing is left out, switched off or swallowed, and every test proves something: read from syntax and comments."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterator

import pytest

from tests.test_layout import committed, named

SWITCHES = {"skip", "skipif", "skipIf", "skipUnless", "skipTest", "xfail", "importorskip", "expectedFailure"}
NOTE = re.compile(r"\b(TODO|FIXME|XXX)\b")
BLANKET = re.compile(r"type: ignore(?!\[)|noqa(?!: ?[A-Z]+[0-9])|ruff: noqa|mypy: ignore-errors|pragma: no cover")
#: What a handler may consist of without having handled anything.
NOTHING = {"pass", "...", "continue", "break", "return", "return None"}
CLAIMS = {"pytest.raises", "pytest.warns", "pytest.fail"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


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


def unproven(source: str, helpers: Collection[str]) -> Iterator[str]:
    """The tests of a file that claim nothing, themselves or by one of the helpers, and those that return, by line."""
    for test in _tests(source):
        if not _claims(test, helpers):
            yield f"{test.lineno}: {test.name} claims nothing: assert something, or expect an error"
        for line in _returns(test):
            yield f"{line}: {test.name} returns: make parameters only of what it makes its claim about"


def claiming(source: str) -> set[str]:
    """The functions of a file that claim something by themselves, so that a test may leave it to them."""
    return {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, FUNCTIONS) and _claims(node, ())}


def _tests(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Test functions, and the state machines that hypothesis runs as tests."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, FUNCTIONS):
            if node.name.startswith("test_"):
                yield node
        elif isinstance(node, ast.ClassDef) and "RuleBasedStateMachine" in map(ast.unparse, node.bases):
            yield node


def _claims(body: ast.AST, helpers: Collection[str]) -> bool:
    called = {ast.unparse(node.func) for node in ast.walk(body) if isinstance(node, ast.Call)}
    return any(isinstance(node, ast.Assert) for node in ast.walk(body)) or not called.isdisjoint({*CLAIMS, *helpers})


def _returns(node: ast.AST) -> Iterator[int]:
    """The lines that return from a function itself, not from one inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return):
            yield child.lineno
        elif not isinstance(child, FUNCTIONS):
            yield from _returns(child)


def test_no_python_file_leaves_out_switches_off_or_swallows() -> None:
    found = {named(path): list(unfinished(path.read_text())) for path in committed() if path.suffix == ".py"}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_no_model_or_setting_holds_a_note_of_unfinished_work() -> None:
    texts = {named(path): path.read_text() for path in committed() if path.suffix in {".sql", ".yml", ".toml", ".j2"}}
    assert {name for name, text in texts.items() if NOTE.search(text)} == set()


def test_every_test_claims_something_for_each_of_its_parameters() -> None:
    files = {named(path): path for path in committed() if path.suffix == ".py"}
    sources = {name: path.read_text() for name, path in files.items() if name.startswith("tests/")}
    helpers = {name for text in sources.values() for name in claiming(text)}
    found = {name: list(unproven(text, helpers)) for name, text in sources.items()}
    assert len(found) > 50
    assert {name: lines for name, lines in found.items() if lines} == {}


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


@pytest.mark.parametrize(
    "source",
    [
        "def test_x():\n    f()",
        "async def test_x():\n    await f()",
        "class TestX:\n    def test_x(self):\n        f()",
        "def test_x():\n    self.checked()",
        "def test_x(p):\n    if p:\n        return\n    assert f(p)",
        "def test_x(p):\n    with f(p):\n        for x in p:\n            return\n    assert p",
        "class House(RuleBasedStateMachine):\n    @rule()\n    def open(self):\n        f()",
    ],
)
def test_a_test_that_claims_nothing_or_returns_is_found(source: str) -> None:
    assert len(list(unproven(source, {"checked"}))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def test_x():\n    assert f()",
        "def test_x():\n    with pytest.raises(ValueError):\n        f()",
        "def test_x():\n    checked(f())",
        "def test_x():\n    def f():\n        return 1\n    assert f()",
        "def helper():\n    return f()",
        "class House(RuleBasedStateMachine):\n    @invariant()\n    def holds(self):\n        assert f()",
    ],
)
def test_a_test_that_claims_something_is_not(source: str) -> None:
    assert list(unproven(source, {"checked"})) == []


def test_a_helper_claims_what_it_asserts_or_expects() -> None:
    source = "def a():\n    assert f()\ndef b():\n    f()\ndef c():\n    with pytest.raises(E):\n        f()\n"
    assert claiming(source) == {"a", "c"}
