"""The commands `audiences webhooks …`; added to `cli.app`, and as light to import."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="Webhooks: what the platforms are set to send, and the URLs of those that sign nothing.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


Accounts = Annotated[list[str] | None, typer.Argument(help="Accounts such as shopify:main; none = all.")]
Url = Annotated[str, typer.Option(help="Address of the receiver as platforms see it, if not [receiver] public_url.")]


@app.command(name="list")
def list_subscriptions(accounts: Accounts = None, json: Json = False) -> None:
    """List what the platforms are set to send, and where to."""
    from orchestration import webhook_subscriptions

    raise typer.Exit(webhook_subscriptions.list_all(accounts or [], as_json=json))


@app.command()
def register(accounts: Accounts = None, url: Url = "", json: Json = False) -> None:
    """Subscribe this receiver to every topic that lacks it; changes nothing else."""
    from orchestration import webhook_subscriptions

    raise typer.Exit(webhook_subscriptions.register(accounts or [], url=url, as_json=json))


@app.command()
def check(accounts: Accounts = None, url: Url = "", json: Json = False) -> None:
    """Compare topics, subscriptions and what came; exit code 1 when something is missing or silent."""
    from orchestration import webhook_subscriptions

    raise typer.Exit(webhook_subscriptions.check(accounts or [], url=url, as_json=json))


@app.command()
def new(
    tag: Annotated[list[str], typer.Option(help="Tag that callers set; repeat it for several.")],
    audience: Annotated[str, typer.Option(help="Audience that the tag takes people out of (leave_on).")],
    account: Annotated[str, typer.Option(help="Account that the calls count for.")] = "main",
    platform: Annotated[str, typer.Option(help="Platform of the URL; needed where several take tags.")] = "",
    label: Annotated[str, typer.Option(help="Where the URL is pasted, to know it by when it is revoked.")] = "",
    json: Json = False,
) -> None:
    """Make a token and print its URLs, once: only a hash is kept."""
    from orchestration import webhook_urls

    raise typer.Exit(webhook_urls.new(tag, audience, platform=platform, account=account, label=label, as_json=json))


@app.command()
def tokens(json: Json = False) -> None:
    """List the tokens, each by the beginning of its hash."""
    from orchestration import webhook_urls

    raise typer.Exit(webhook_urls.tokens(as_json=json))


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="The beginning of its hash, as `tokens` shows it.")],
    json: Json = False,
) -> None:
    """Revoke a token: its URL is refused within half a minute."""
    from orchestration import webhook_urls

    raise typer.Exit(webhook_urls.revoke(token, as_json=json))
