"""The commands of people who decide: registries, what waits for a person, records joined by hand; light to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

registry = typer.Typer(
    help="Registries of people not to be contacted: what was compared, and what stays closed without.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
review = typer.Typer(
    help="What waits until a person decides, and deciding it.", no_args_is_help=True, rich_markup_mode=None
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Actor = Annotated[str, typer.Option(help="Who does it; kept.")]
Reason = Annotated[str, typer.Option(help="Why; kept.")]
Record = Annotated[str, typer.Argument(help="A record as platform:account:record_id.")]


@registry.command(name="import")
def import_receipt(
    registry: Annotated[str, typer.Option(help="The registry, as `audiences registry list` names it.")],
    checked_on: Annotated[str, typer.Option(help="The day on which it was compared, as 2026-11-22.")],
    actor: Actor,
    file: Annotated[
        Path | None, typer.Argument(help="What was compared: CSV, Parquet or DuckDB; none with --whole-list.")
    ] = None,
    whole_list: Annotated[
        bool, typer.Option("--whole-list", help="All of your list was compared: who is not in the file was not found.")
    ] = False,
    column: Annotated[str, typer.Option(help="Column of addresses or numbers.")] = "",
    result_column: Annotated[str, typer.Option(help="Column of results, if not `result`.")] = "",
    result: Annotated[
        Literal["", "listed", "disconnected", "clear"], typer.Option(help="Result of every row of a file without one.")
    ] = "",
    reads: Annotated[
        list[str] | None, typer.Option(help="What a word of the file means, as yes=listed; repeat.")
    ] = None,
    since_column: Annotated[str, typer.Option(help="Column of the day of listing, if not `since`.")] = "",
    table: Annotated[str, typer.Option(help="Table of a DuckDB file, as schema.table.")] = "",
    json: Json = False,
) -> None:
    """Bring what a registry answered; counts with the next build, and the same file twice counts once."""
    from orchestration import registering
    from orchestration.inputs.reading import Layout

    layout = Layout(
        table=table,
        column=column,
        result_column=result_column,
        since_column=since_column,
        result=result,
        reads=registering.words(reads or []),
    )
    code = registering.bring(
        file, layout, registry=registry, checked_on=checked_on, whole_list=whole_list, actor=actor, as_json=json
    )
    raise typer.Exit(code)


@registry.command(name="list")
def list_registries(json: Json = False) -> None:
    """List each registry: what was compared last, until when it counts, and what it keeps closed."""
    from orchestration import registering

    raise typer.Exit(registering.show(as_json=json))


@registry.command()
def retract(
    receipt: Annotated[str, typer.Argument(help="The beginning of its id, as `audiences registry list` shows it.")],
    actor: Actor,
    reason: Reason,
    json: Json = False,
) -> None:
    """Take back a receipt that was brought by mistake; it counts no more from the next build on."""
    from orchestration import registering

    raise typer.Exit(registering.retract(receipt, actor=actor, reason=reason, as_json=json))


@review.command(name="list")
def list_waiting(
    show: Annotated[bool, typer.Option(help="Print identifiers in full instead of masked.")] = False,
    json: Json = False,
) -> None:
    """List what waits until a person decides, oldest first."""
    from orchestration import reviewing

    raise typer.Exit(reviewing.show(in_full=show, as_json=json))


@review.command()
def decide(
    id: Annotated[str, typer.Argument(help="Its id, as `audiences review list` shows it.")],
    stop: Annotated[bool, typer.Option("--stop/--no-stop", help="It is a stop, or it is none.")],
    actor: Actor,
    reason: Reason,
    json: Json = False,
) -> None:
    """Decide whether something held is a stop: a stop holds at once; none ends the hold with the next build."""
    from orchestration import reviewing

    raise typer.Exit(reviewing.decide(id, "stop" if stop else "no_stop", actor=actor, reason=reason, as_json=json))


def link(first: Record, second: Record, actor: Actor, reason: Reason, json: Json = False) -> None:
    """Say that two records are one person's; counts with the next build."""
    from orchestration import linking

    raise typer.Exit(linking.say(first, second, "merge", actor=actor, reason=reason, as_json=json))


def unlink(first: Record, second: Record, actor: Actor, reason: Reason, json: Json = False) -> None:
    """Say that two records are not one person's; counts with the next build."""
    from orchestration import linking

    raise typer.Exit(linking.say(first, second, "unmerge", actor=actor, reason=reason, as_json=json))


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(registry, name="registry")
    app.add_typer(review, name="review")
    app.command()(link)
    app.command()(unlink)
