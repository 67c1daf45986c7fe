"""URLs with a token in them, for platforms that sign nothing: made for a tag and an audience, listed, revoked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from dlt_sources import accounts, registry
from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from orchestration import console, home
from orchestration.activation import webhook_tokens
from orchestration.activation.state import State
from orchestration.activation.twin import TAG, event_name
from orchestration.home import Home
from orchestration.landing.leaving import Leaving
from orchestration.landing.settings import public_url

_MOST_TAG_CHARACTERS, _MOST_LABEL_CHARACTERS = 64, 120
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def new(tags: Sequence[str], audience: str, *, platform: str, account: str, label: str, as_json: bool) -> int:
    """Make a token for some tags of an audience and print its URLs; returns the exit code.

    ConfigurationError, with the line to write, where the audience is not left on a tag.
    """
    current = Home.current()
    tags = [_tag(tag) for tag in tags]
    sender = _account(platform, account)
    require_leaving(audience, tags)
    base = public_url(current.folder)
    state = State.of(current)
    try:
        token = webhook_tokens.make(state, sender.key, tags, _CONTROL.sub(" ", label).strip()[:_MOST_LABEL_CHARACTERS])
    finally:
        state.close()
    urls = {tag: _urls(sender, base or "https://<receiver>", token, tag) for tag in tags}
    waiting = [tag for tag in tags if not _left_on(current, audience, tag)]
    notes = (
        [] if base else ["Set [receiver] public_url in .dlt/config.toml: until then put your own host for <receiver>."]
    )
    if waiting:
        notes.append(f"No build has published {audience} with {', '.join(waiting)} yet: the next one makes it count.")
    if as_json:
        console.print_json({"account": sender.key, "audience": audience, "urls": urls, "notes": notes})
        return 0
    console.out.print(f"Token for {sender.key}. These URLs are shown once; whoever has one can take people out.\n")
    for tag, forms in urls.items():
        for form, url in forms.items():
            console.out.print(f"{tag}, {form}:")
            console.out.print(f"  {url}", soft_wrap=True)
    for note in notes:
        console.err.print(note)
    return 0


def tokens(*, as_json: bool) -> int:
    """Print every token on record; returns the exit code."""
    state = State.of(Home.current())
    try:
        found = webhook_tokens.listed(state)
    finally:
        state.close()
    rows = [
        {
            "token": kept.token.short,
            "account": kept.token.account,
            "tags": list(kept.token.tags),
            "label": kept.token.label,
            "may": "suppress only" if kept.token.suppress_only else "suppress and add",
            "made": f"{kept.created_at:%Y-%m-%d %H:%M}",
            "revoked": f"{kept.disabled_at:%Y-%m-%d %H:%M}" if kept.disabled_at else "",
        }
        for kept in found
    ]
    if as_json:
        console.print_json(rows)
    elif rows:
        cells = [[", ".join(value) if isinstance(value, list) else value for value in row.values()] for row in rows]
        console.out.print(console.table("Tokens in webhook URLs", list(rows[0]), cells))
    else:
        console.out.print("There is no token yet: audiences webhooks new --tag Buyer --audience <audience>")
    return 0


def revoke(beginning: str, *, as_json: bool) -> int:
    """Revoke a token; returns the exit code."""
    state = State.of(Home.current())
    try:
        kept = webhook_tokens.revoke(state, beginning)
    finally:
        state.close()
    if as_json:
        console.print_json({"revoked": kept.token.short, "account": kept.token.account})
    else:
        console.out.print(f"Revoked {kept.token.short} of {kept.token.account}; receivers refuse it within 30 seconds.")
    return 0


def require_leaving(audience: str, tags: Sequence[str]) -> None:
    """ConfigurationError, naming file and line to write, unless the audience's twin is left on each of these tags."""
    twins, unreadable = _twins()
    if audience not in twins:
        unread = f" These could not be read: {', '.join(unreadable)}." if unreadable else ""
        raise ConfigurationError(f"There is no audience {audience!r}; known are {', '.join(sorted(twins))}.{unread}")
    file, twin = twins[audience]
    named = [str(name) for name in twin.get("leave_on") or ()]
    left_on = {event_name(name) for name in named}
    missing = [f"{TAG}{tag}" for tag in tags if event_name(f"{TAG}{tag}") not in left_on]
    if missing:
        line = ", ".join(f'"{name}"' if ":" in name else name for name in [*named, *missing])
        raise ConfigurationError(
            f"{audience} is not left on {', '.join(missing)}, so such a call would do nothing. "
            f"Write in {file}, under audience: leave_on: [{line}]"
        )


def _twins() -> tuple[dict[str, tuple[str, Mapping[str, Any]]], list[str]]:
    """Audience → the file of its twin and what the file says of it; and the files that cannot be read."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    unreadable: list[str] = []
    for path in sorted((home.DBT_PROJECT / "models" / "segments").glob("*.yml")):
        try:
            models = (yaml.safe_load(path.read_text()) or {}).get("models") or []
            for model in models:
                twin = model["config"]["meta"]["audience"]
                found[str(model["name"])] = (f"models/segments/{path.name}", twin)
        except (yaml.YAMLError, AttributeError, KeyError, TypeError):
            unreadable.append(f"models/segments/{path.name}")
    return found, unreadable


def _account(platform: str, account: str) -> Account:
    """The account that calls count for: of the platform named, else of the only one that signs nothing."""
    takers = [one for one in registry.all_platforms() if not one.signed and one.has("webhook")]
    names = [one.name for one in takers]
    if platform and platform not in names:
        raise ConfigurationError(f"{platform!r} takes no token in its URL; {', '.join(names)} does.")
    configured = accounts.load([one for one in takers if platform in ("", one.name)])
    meant = [one for one in configured if one.name == account]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise ConfigurationError(f"Several platforms have an account {account!r}: name one with --platform.")
    section = f"[sources.{platform or names[0]}.{account}]"
    raise ConfigurationError(f"Nothing receives such calls yet: write a section {section} in .dlt/config.toml.")


def _urls(account: Account, base_url: str, token: str, tag: str) -> Mapping[str, str]:
    """What to paste, by form: in the platform's own shape where it has one."""
    own = getattr(registry.platform(account.platform).webhook, "urls", None)
    if own is None:
        return {"URL": f"{base_url}/webhooks/{account.platform}/{account.name}?token={token}"}
    forms: Mapping[str, str] = own(base_url, token, tag)
    return forms


def _tag(text: str) -> str:
    tag = text.strip()
    if not tag or len(tag) > _MOST_TAG_CHARACTERS or _CONTROL.search(tag):
        raise ConfigurationError(f"{text!r} is no tag: it has 1 to {_MOST_TAG_CHARACTERS} characters.")
    return tag


def _left_on(current: Home, audience: str, tag: str) -> bool:
    """True when the catalogue published last takes people out of the audience on this tag."""
    scopes = Leaving(current.published).current().scopes.get(event_name(f"{TAG}{tag}"), ())
    return any(scope.audience == audience for scope in scopes)
