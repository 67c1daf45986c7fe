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


def evidence(
    actor: Annotated[str, typer.Option(help="Who exports it; kept.")],
    to: Annotated[Path, typer.Option(help="The folder to write: new, or empty.")],
    subject: Annotated[str | None, typer.Argument(help="An e-mail address, a phone number or a person id.")] = None,
    send: Annotated[str | None, typer.Option(help="One send by its write id, as audiences why lists them.")] = None,
    json: Json = False,
) -> None:
    """Write what an auditor asks for about one person or one send; holds raw personal data, and is kept on record."""
    from orchestration.proving.show import write_pack

    raise typer.Exit(write_pack(subject, send=send, folder=to, actor=actor, as_json=json))


def exposure(json: Json = False) -> None:
    """Say what was sent between withdrawals and their honouring, and whether the deadlines were kept."""
    from orchestration.proving.show import show_exposure

    raise typer.Exit(show_exposure(as_json=json))


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(why)
    app.command()(evidence)
    app.command()(exposure)
