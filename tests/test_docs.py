"""What the documentation names is there: commands, targets, options, files, links, and the example of every key."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from typer.main import get_command

from dlt_sources import accounts, registry
from dlt_sources.example import PATH, render
from orchestration.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "dlt_sources").rglob("*.md")])
GROUP: Any = get_command(app)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
IMAGES = ROOT / "docs" / "images"


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code(page: Path) -> Iterator[str]:
    """Every line of code on a page: fenced blocks and spans in backticks."""
    text = page.read_text()
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from (line.partition("  #")[0].strip() for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def said(word: str) -> list[tuple[str, list[str]]]:
    """Every call of `word` that a page shows, as page and arguments."""
    return [
        (named(page), shlex.split(line)[1:]) for page in PAGES for line in code(page) if line.startswith(f"{word} ")
    ]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_make_target_that_a_page_names_exists() -> None:
    found = [(page, target) for page, arguments in said("make") for target in arguments if target.isalpha()]
    assert {"demo", "test"} <= {target for _, target in found}
    assert [(page, target) for page, target in found if target not in targets()] == []


def test_every_target_explains_itself_and_is_phony() -> None:
    text = (ROOT / "Makefile").read_text()
    explained = set(re.findall(r"^([a-z]+):.*## \S", text, re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())  # type: ignore[index]
    assert targets() == explained == phony


def test_every_audiences_command_and_option_that_a_page_names_exists() -> None:
    found = said("audiences")
    assert {"demo", "run", "plan", "apply", "why", "receive", "platforms"} <= {words[0] for _, words in found}
    for page, words in found:
        assert words[0] in GROUP.commands, f"{page}: audiences {words[0]}"
        command = GROUP.commands[words[0]]
        if hasattr(command, "commands"):  # a group, such as `webhooks`
            assert words[1] in command.commands, f"{page}: audiences {' '.join(words)}"
            command = command.commands[words[1]]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        unknown = [word for word in words[1:] if word.startswith("--") and word not in known]
        assert unknown == [], f"{page}: audiences {' '.join(words)}"


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    assert [name for name in GROUP.commands if f"`audiences {name}" not in text] == []


def links() -> list[tuple[Path, Path, str]]:
    """Every relative link, as page, file and heading."""
    texts = [(page, link.partition("#")) for page in PAGES for link in LINK.findall(page.read_text())]
    found = [(page, to, heading) for page, (to, _, heading) in texts if not re.match(r"[a-z]+:", to)]
    return [(page, (page.parent / to).resolve() if to else page, heading) for page, to, heading in found]


def test_every_relative_link_leads_to_a_file_of_the_tree() -> None:
    found = links()
    assert len(found) > 10
    assert [(named(page), str(to)) for page, to, _ in found if not to.is_relative_to(ROOT) or not to.exists()] == []


def test_every_link_to_a_heading_leads_to_one() -> None:
    found = [link for link in links() if link[2]]
    assert found
    assert [(named(page), heading) for page, to, heading in found if heading not in anchors(to)] == []


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_file_of_the_tree_that_a_page_names_exists() -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"data"}
    lines = [(named(page), line.split()[0].rstrip("/,.:")) for page in PAGES for line in code(page) if line.split()]
    told = [(page, name) for page, name in lines if "/" in name and name.partition("/")[0] in tops]
    whole = [(page, name) for page, name in told if not re.search(r"[<*{…$]", name) and name != ".dlt/secrets.toml"]
    assert len(whole) > 10
    assert [(page, name) for page, name in whole if not (ROOT / name).exists()] == []


def test_every_page_of_the_documentation_is_reached_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    linked = {link.partition("#")[0] for link in LINK.findall(text)}
    assert {named(page) for page in PAGES if page.name != "CHANGELOG.md"} - {"README.md"} <= linked


def test_the_example_of_secrets_is_what_the_registry_says() -> None:
    assert (ROOT / PATH).read_text() == render(registry.all_platforms()), "run `make generate`"


def test_the_example_has_every_key_of_every_platform_with_its_meaning_and_no_value() -> None:
    text = render(registry.all_platforms())
    for platform in registry.all_platforms():
        section = text.partition(f"[sources.{platform.name}.main]")[2].partition("[sources.")[0]
        for credential in platform.credentials:
            assert f'# {credential.name} = ""  # {credential.description} (' in section
    assert tomllib.loads(text) == {}, "an example must configure nothing"


def test_the_example_is_valid_once_its_comments_are_taken_away(tmp_path: Path) -> None:
    bare = re.sub(r"^# (\[|\w+ = )", r"\1", render(registry.all_platforms()), flags=re.MULTILINE)
    filled = bare.replace('= ""', '= "x"')
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "secrets.toml").write_text(filled)
    found = accounts.load(registry.all_platforms(), tmp_path)
    assert [account.platform for account in found] == [platform.name for platform in registry.all_platforms()]
    for account in found:
        keys = {credential.name for credential in registry.platform(account.platform).credentials}
        assert set(account.settings) == keys


def test_the_committed_configuration_configures_nothing_and_calls_nobody() -> None:
    content = tomllib.loads((ROOT / ".dlt" / "config.toml").read_text())
    assert content == {"receiver": {}, "runtime": {"dlthub_telemetry": False}}
    ignored = (ROOT / ".gitignore").read_text().split()
    assert ".dlt/secrets.toml" in ignored
    assert not {".dlt/", ".dlt", ".dlt/config.toml", ".dlt/secrets.example.toml"} & set(ignored)


def shown() -> dict[Path, str]:
    """Every picture that a page shows, with what it says in words."""
    return {
        (page.parent / target).resolve(): words for page in PAGES for words, target in IMAGE.findall(page.read_text())
    }


def test_every_picture_is_there_is_light_and_is_said_in_words() -> None:
    pictures = shown()
    assert [path.name for path, words in pictures.items() if not path.exists() or len(words) < 10] == []
    assert [path.name for path in pictures if path.stat().st_size > 300_000] == []


def test_no_picture_is_left_unused() -> None:
    kept = {path for path in IMAGES.iterdir() if path.suffix in {".png", ".svg"}}
    assert kept == {path for path in shown() if path.is_relative_to(IMAGES)}


@cache
def flow() -> Any:
    """The module that draws the picture of the flow."""
    spec = importlib.util.spec_from_file_location("flow", IMAGES / "flow.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["flow"] = module
    spec.loader.exec_module(module)
    return module


def test_the_readme_opens_with_the_picture_of_the_flow() -> None:
    first = IMAGE.search((ROOT / "README.md").read_text())
    assert first is not None
    assert first[2] == "docs/images/flow.svg"


def test_the_picture_of_the_flow_is_what_its_source_draws() -> None:
    assert (IMAGES / "flow.svg").read_text() == flow().render(), "run `python docs/images/flow.py`"


def test_every_room_that_the_picture_names_exists_and_stands_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [box.name for box in flow().BOXES if box.room]
    assert len(rooms) >= 5
    assert [name for name in rooms if not (ROOT / name).exists()] == []
    assert [name for name in rooms if f"`{name}`" not in page] == []


def test_the_picture_of_the_flow_is_readable_in_the_dark_and_loads_nothing() -> None:
    text = (IMAGES / "flow.svg").read_text()
    assert "prefers-color-scheme:dark" in text
    assert set(re.findall(r"https?://[^\s\"]+", text)) == {"http://www.w3.org/2000/svg"}


def test_the_page_about_the_report_names_every_section_of_it() -> None:
    template = (ROOT / "orchestration" / "reporting" / "templates" / "report.html.j2").read_text()
    sections = set(re.findall(r'<h2 id="\w+">([^<]+)</h2>', template))
    page = (ROOT / "docs" / "reading_the_report.md").read_text()
    assert len(sections) >= 10
    assert [name for name in sections if name not in page] == []
