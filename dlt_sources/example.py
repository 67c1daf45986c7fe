"""Writes `.dlt/secrets.example.toml`: every secret that any platform's account may have, explained, with no value.

`python -m dlt_sources.example` writes it into the current folder's `.dlt/`; a test fails while it is stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dlt_sources import registry
from dlt_sources.platform import Credential, Platform

PATH = Path(".dlt/secrets.example.toml")
_HEAD = """\
# Copy the sections that you need to .dlt/secrets.toml (which git ignores), take the "#" away and fill in the values.
# "main" is the account's name; a second account is a second section. An environment variable wins over this file:
# SOURCES__KLAVIYO__MAIN__API_KEY. Plain settings may stand in .dlt/config.toml instead.
"""


def render(platforms: Sequence[Platform]) -> str:
    """The example: a section per platform, a commented line per key with what it is and whether it may be left out."""
    return _HEAD + "".join(f"\n{_section(platform)}\n" for platform in platforms)


def _section(platform: Platform) -> str:
    lines = [f"# {platform.title}: {platform.documentation}", f"# [sources.{platform.name}.main]"]
    for kind, secret in (("secrets", True), ("plain settings, as well in config.toml", False)):
        keys = [credential for credential in platform.credentials if credential.secret is secret]
        lines += [f"# {kind}:"] if keys else []
        lines += [line for credential in keys for line in _lines(credential)]
    return "\n".join(lines)


def _lines(credential: Credential) -> Iterator[str]:
    if not credential.required:
        need = "optional"
    elif credential.unless:
        need = f"unless {' and '.join(credential.unless)} {'is' if len(credential.unless) == 1 else 'are'} there"
    else:
        need = "required"
    yield f'# {credential.name} = ""  # {credential.description} ({need})'


def main() -> None:
    """Write the example."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(render(registry.all_platforms()))


if __name__ == "__main__":
    main()
