"""The command line `audiences`.

Commands import what they need when they run: `audiences --help` answers at once. Every command prints text for people
or, with --json, one JSON document on standard output; errors go to standard error without a traceback unless --debug.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from orchestration import cli_deciding, cli_operating, cli_proving, cli_webhooks

app = typer.Typer(
    name="audiences",
    help="Build consent-aware, age-verified audiences and keep every CRM in step with them.",
    epilog="Start with: audiences demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


@app.callback()
def options(
    home: Annotated[
        Path | None,
        typer.Option(help="Folder that holds .dlt/ and data/ (default: AUDIENCES_HOME, else the current folder)."),
    ] = None,
    debug: Annotated[bool, typer.Option(help="Show tracebacks and the log of every library.")] = False,
) -> None:
    """Options of every command."""
    if home is not None:
        os.environ["AUDIENCES_HOME"] = str(home.resolve())
    if debug:
        os.environ["AUDIENCES_DEBUG"] = "1"


@app.command()
def demo(
    people: Annotated[int, typer.Option(min=20, help="People in the generated shop.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the generated shop.")] = 1,
    fresh: Annotated[bool, typer.Option(help="Forget former demo runs first.")] = False,
    json: Json = False,
) -> None:
    """Run the main job end to end against stand-in platforms, and check the result."""
    from orchestration.demo import run_demo

    raise typer.Exit(run_demo(people=people, seed=seed, fresh=fresh, as_json=json))


@app.command()
def run(
    job: Annotated[
        Literal["daily", "near_real_time", "redecide"],
        typer.Option(help="daily (everything), near_real_time (webhooks only) or redecide (nothing new, the clock)."),
    ] = "daily",
    json: Json = False,
) -> None:
    """Pull, build, check, publish, remove and push, once; waits for a run that is under way."""
    from orchestration.running import run_job

    raise typer.Exit(run_job(job, as_json=json))


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    receiver_port: Annotated[int, typer.Option(help="Port of the webhook receiver.")] = 8787,
    sandbox: Annotated[bool, typer.Option(help="Start the stand-in platforms in a home of their own.")] = True,
    people: Annotated[int, typer.Option(min=20, help="People in the generated shop.")] = 2000,
) -> None:
    """Start UI, daemon, receiver and stand-ins; print the addresses; stop all of them on Ctrl-C."""
    from orchestration.dev import run_dev

    raise typer.Exit(run_dev(port=port, receiver_port=receiver_port, with_sandbox=sandbox, people=people))


@app.command()
def receive(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8787,
    metrics_port: Annotated[
        int, typer.Option(help="Port of /metrics on 127.0.0.1 (0: on the same port as the webhooks).")
    ] = 0,
    json: Json = False,
) -> None:
    """Receive webhooks: verify, make durable, answer."""
    from orchestration import serving

    raise typer.Exit(serving.receive(host=host, port=port, metrics_port=metrics_port, as_json=json))


@app.command()
def speed_lane() -> None:
    """Work the speed lane in this process (under Dagster its sensor does)."""
    from orchestration import serving

    raise typer.Exit(serving.work_speed_lane())


@app.command()
def sandbox(
    people: Annotated[int, typer.Option(min=20, help="People in the generated shop.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the generated shop.")] = 1,
    receiver: Annotated[str, typer.Option(help="Base URL that the stand-ins send webhooks to.")] = "",
    json: Json = False,
) -> None:
    """Start the stand-in platforms and write a matching configuration into the home folder."""
    from orchestration.demo_shop import serve_sandbox

    raise typer.Exit(serve_sandbox(people=people, seed=seed, receiver=receiver, as_json=json))


@app.command()
def plan(json: Json = False) -> None:
    """Plan what the newest build would push, and push nothing (a dry run)."""
    from orchestration.pushing import show_plans

    show_plans(as_json=json)


@app.command(name="apply")
def apply_plans(
    plan_ids: Annotated[list[str] | None, typer.Argument(help="Plans by hash; none = every ready plan.")] = None,
    approve: Annotated[bool, typer.Option(help="Approve held plans named on the command line first.")] = False,
    actor: Annotated[str, typer.Option(help="Who approves; kept with the plan.")] = "",
    reason: Annotated[str, typer.Option(help="Why it is approved; kept with the plan.")] = "",
    json: Json = False,
) -> None:
    """Send planned rows to the destinations, asking the gate before every call."""
    from orchestration.pushing import apply_named

    raise typer.Exit(apply_named(plan_ids or [], approve=approve, actor=actor, reason=reason, as_json=json))


@app.command()
def decide(
    cases: Annotated[Path, typer.Argument(help="A case file (docs/decide.md).")],
    json: Json = False,
) -> None:
    """Decide about imaginary people, with the models that production runs; 1 when an answer is not the expected one."""
    from orchestration.deciding.show import show

    raise typer.Exit(show(cases, as_json=json))


@app.command()
def platforms(
    check: Annotated[bool, typer.Option(help="Call every configured account once.")] = False,
    json: Json = False,
) -> None:
    """List the platforms, what each can do, and which accounts are configured."""
    from orchestration.listing import list_platforms

    raise typer.Exit(list_platforms(check=check, as_json=json))


@app.command()
def lane(json: Json = False) -> None:
    """Find the lane of an event by answering a few questions."""
    from orchestration.choosing import choose_lane

    choose_lane(as_json=json)


@app.command()
def report(json: Json = False) -> None:
    """Write the report of the newest run anew, from what is known now, and print where it lies."""
    from orchestration.explaining import write_report

    raise typer.Exit(write_report(as_json=json))


@app.command()
def docs() -> None:
    """Build the dbt docs into data/published/dbt_docs."""
    from orchestration.dbt_docs import build

    typer.echo(build())


cli_operating.add_to(app)
cli_proving.add_to(app)
cli_deciding.add_to(app)
app.add_typer(cli_webhooks.app, name="webhooks")


def main() -> None:
    """Run a command; turn errors into messages and exit codes (1 = the work, 2 = the call or the configuration)."""
    from dlt_sources.errors import AudiencesError, ConfigurationError

    try:
        app()
    except AudiencesError as error:
        if os.environ.get("AUDIENCES_DEBUG"):
            raise
        typer.echo(f"audiences: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("AUDIENCES_DEBUG"):
            raise
        typer.echo(f"audiences: unexpected {type(error).__name__}; run again with --debug to see where.", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
