"""Starts a platform as a copy of the smallest one that has every room: `python -m orchestration.new_platform NAME`.

Each copied file ends with a line that says what to write in it. The contract suite fails while one of these lines is
left, so the copy cannot be mistaken for a platform that works.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from dlt_sources.errors import ConfigurationError
from orchestration import console

MODEL = "twilio"
MARK = "copied from"
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
#: What a platform is made of, below the root of the repository.
FOLDERS = (
    "dlt_sources/platforms/{name}",
    "sandbox/platforms/{name}",
    "dbt_project/models/staging/{name}",
    "tests/platforms/{name}",
)
_COMMENTS = {".py": "# {}", ".sql": "-- {}", ".yml": "# {}", ".md": "<!-- {} -->"}
#: What belongs into a file, by its name or else by its folder.
_GUIDE = {
    "__init__.py": "name objects with key, cursor and required paths, credentials, and the documentation",
    "client.py": "set address, API version, auth, page size, odd status codes, and one cheap call for check()",
    "source.py": "yield pages of records as the platform sends them, changed after `since`",
    "webhook.py": "verify over the raw bytes with the official vector; give acts ids that redeliveries keep",
    "destination.py": "override what the platform offers, one call a method; never write a grant",
    "tables.py": "list limits with their source, and every webhook topic with its standard event and lane",
    "README.md": "say what is pulled, which keys an account needs, how webhooks are set up, what is pushed",
    "sandbox": "write the stand-in from the platform's documentation, not our client; give its acts names of their own",
    "dbt_project": "type this platform's payloads and give them the six shapes; explain each model in the yml",
    "tests": "pin request bodies and use the platform's official signature vectors and sample payloads",
    "dlt_sources": "keep what this platform needs too, delete the rest",
}


def copy(root: Path, name: str, model: str = MODEL) -> list[Path]:
    """Copy `model`'s four folders to `name` below `root`; returns the new files.

    Raises ConfigurationError for a name that is no Python and SQL name, is taken, or for a model that is not there.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} cannot name a platform: use lower-case letters, digits and underscores.")
    sources = [root / folder.format(name=model) for folder in FOLDERS]
    if missing := [str(folder.relative_to(root)) for folder in sources if not folder.is_dir()]:
        raise ConfigurationError(f"{model} cannot be copied: {', '.join(missing)} is not there.")
    targets = [root / folder.format(name=name) for folder in FOLDERS]
    if taken := [str(folder.relative_to(root)) for folder in targets if folder.exists()]:
        raise ConfigurationError(f"There is a platform {name} already: {', '.join(taken)}.")
    return [
        made for source, target in zip(sources, targets, strict=True) for made in _folder(root, source, target, model)
    ]


def leftovers(folder: Path) -> dict[Path, str]:
    """The files of a folder that still end with the line of their copying, each with what to write there."""
    found: dict[Path, str] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix not in _COMMENTS or not file.is_file():
            continue
        last = file.read_text().rstrip().rpartition("\n")[2]
        if MARK in last and last.startswith(_COMMENTS[file.suffix].split("{}")[0] + MARK):
            found[file] = last.partition(": ")[2].removesuffix(" -->")
    return found


def main() -> None:
    """Copy, then tell what to do in which order."""
    parser = argparse.ArgumentParser(prog="make platform NAME=...", description=__doc__)
    parser.add_argument("name", help="the new platform, for example woocommerce")
    parser.add_argument("--like", default=MODEL, help=f"the platform to copy (default: {MODEL})")
    asked = parser.parse_args()
    try:
        made = copy(Path.cwd(), asked.name, asked.like)
    except ConfigurationError as error:
        parser.error(str(error))
    console.out.print(f"{len(made)} files copied from {asked.like}. Next, in this order:")
    for number, step in enumerate(_steps(asked.name), start=1):
        console.out.print(f"  {number}. {step}", highlight=False, soft_wrap=True)


def _folder(root: Path, source: Path, target: Path, model: str) -> Iterator[Path]:
    for file in sorted(source.rglob("*")):
        if not file.is_file() or "__pycache__" in file.parts:
            continue
        made = target / _renamed(str(file.relative_to(source)), model, target.name)
        made.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix not in _COMMENTS:  # a payload: bytes that signatures are computed over
            shutil.copyfile(file, made)
        else:
            room = target.relative_to(root).parts[0]
            what = _GUIDE.get(file.name, _GUIDE[room]) if room == "dlt_sources" else _GUIDE[room]
            line = _COMMENTS[file.suffix].format(f"{MARK} {model}: {what}")
            made.write_text(f"{_renamed(file.read_text(), model, target.name).rstrip()}\n{line}\n")
        yield made


def _renamed(text: str, model: str, name: str) -> str:
    """The text with the platform's name changed, except in addresses: those must be written, not guessed."""
    title = "".join(word.capitalize() for word in name.split("_"))
    spellings = {model: name, model.capitalize(): title, model.upper(): name.upper()}

    def spelt(found: re.Match[str]) -> str:
        return spellings.get(found.group(), found.group())

    return re.sub("|".join([r"https://[^\s\"')>]+", *spellings]), spelt, text)


def _steps(name: str) -> Iterator[str]:
    yield f"dlt_sources/platforms/{name}/: the title page first, then client.py; each file's last line says what"
    yield f"sandbox/platforms/{name}/: the stand-in, and what it holds of the population (sandbox/population*.py)"
    yield f"dbt_project/models/staging/{name}/, with rows in seeds/platform_values.csv and seeds/event_names.csv"
    yield "make generate"
    yield f".venv/bin/pytest tests/test_platform_contract.py -k {name}: says what is still missing"
    yield f"tests/platforms/{name}/, then `make check` and `make test`"


if __name__ == "__main__":
    main()
