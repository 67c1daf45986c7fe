"""The commands that prove decisions; added to `cli.app`, and as light to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def why(
    subject: Annotated[str, typer.Argument(help="An e-mail address, a phone number or a person id.")],
    audience: Annotated[str | None, typer.Option(help="One audience instead of all.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="The time the question is about, such as 2026-11-01T09:00:00Z (default: the build's)."),
    ] = None,
    known_at: Annotated[
        str | None, typer.Option(help="Leave out what reached us after this time (default: the build's).")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page instead of text.")] = None,
    show: Annotated[bool, typer.Option(help="Print identifiers in full instead of masked.")] = False,
    json: Json = False,
) -> None:
    """Explain why a person is in, or not in, an audience, now or at a past time; reads the published copy."""
    from orchestration.explaining import explain

    code = explain(subject, audience=audience, show=show, as_json=json, as_of=as_of, known_at=known_at, html=html)
    raise typer.Exit(code)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(why)
