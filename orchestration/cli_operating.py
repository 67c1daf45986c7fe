"""The commands of people who operate an installation; added to `cli.app`, and as light to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Named = Annotated[
    list[str] | None,
    typer.Argument(help="E-mail addresses or phone numbers (+1 ...); - reads standard input."),
]
File = Annotated[Path | None, typer.Option(help="A file with an address or number a line.")]
Channel = Annotated[Literal["*", "email", "sms"], typer.Option(help="The channel; * (quoted) is every one.")]
Topic = Annotated[str, typer.Option(help="The topic of audiences; * (quoted) is every one.")]
Actor = Annotated[str, typer.Option(help="Who does it; kept.")]
Reason = Annotated[str, typer.Option(help="Why; kept.")]


def suppress(
    actor: Actor,
    reason: Reason,
    identifiers: Named = None,
    file: File = None,
    channel: Channel = "*",
    topic: Topic = "*",
    json: Json = False,
) -> None:
    """Block people by hand: at once, at every destination, until somebody lifts it."""
    from orchestration import suppressing

    code = suppressing.suppress(
        identifiers or [], file, channel=channel, topic=topic, actor=actor, reason=reason, as_json=json
    )
    raise typer.Exit(code)


def lift(
    actor: Actor,
    reason: Reason,
    identifiers: Named = None,
    file: File = None,
    channel: Channel = "*",
    topic: Topic = "*",
    json: Json = False,
) -> None:
    """Lift blocks set by hand, with the next build; never what a person said."""
    from orchestration import suppressing

    code = suppressing.lift(
        identifiers or [], file, channel=channel, topic=topic, actor=actor, reason=reason, as_json=json
    )
    raise typer.Exit(code)


def approve(
    account: Annotated[str, typer.Argument(help="The destination account, such as klaviyo:main.")],
    actor: Actor,
    reason: Reason,
    json: Json = False,
) -> None:
    """Approve a destination account once: until then nobody is added there."""
    from orchestration import approving

    raise typer.Exit(approving.approve(account, actor=actor, reason=reason, as_json=json))


def baseline(
    actor: Actor,
    reason: Reason,
    accounts: Annotated[list[str] | None, typer.Argument(help="Accounts such as klaviyo:main; none = all.")] = None,
    json: Json = False,
) -> None:
    """Take the members that destinations really hold as those that state knows, before the next plan."""
    from orchestration import approving

    raise typer.Exit(approving.take_baseline(accounts or [], actor=actor, reason=reason, as_json=json))


def status(json: Json = False) -> None:
    """Say how the installation stands; the exit code is 1 when something needs a person."""
    from orchestration.status import show

    raise typer.Exit(show(as_json=json))


def mended(
    account: Annotated[str, typer.Argument(help="The account, such as klaviyo:main.")],
    actor: Actor,
    reason: Reason,
    json: Json = False,
) -> None:
    """Say that calls which were given up have been mended by hand at the platform."""
    from orchestration import approving

    raise typer.Exit(approving.mended(account, actor=actor, reason=reason, as_json=json))


def backup(
    file: Annotated[Path, typer.Argument(help="The tar file to write.")],
    with_warehouse: Annotated[bool, typer.Option(help="Also the published copy of the warehouse.")] = False,
    json: Json = False,
) -> None:
    """Back up state with its key and the landing zone, while everything runs."""
    from orchestration import keeping

    raise typer.Exit(keeping.back_up(file, with_warehouse=with_warehouse, as_json=json))


def restore(
    file: Annotated[Path, typer.Argument(help="A file that audiences backup wrote.")],
    json: Json = False,
) -> None:
    """Restore a backup into an empty home; refuses any other."""
    from orchestration import keeping

    raise typer.Exit(keeping.restore(file, as_json=json))


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(suppress)
    app.command()(lift)
    app.command()(approve)
    app.command()(baseline)
    app.command()(status)
    app.command()(backup)
    app.command()(restore)
    app.command()(mended)
