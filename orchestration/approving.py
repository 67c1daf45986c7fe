"""`audiences approve`, `baseline` and `mended`: what a person decides about destination accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from dlt_sources import registry
from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from orchestration import console
from orchestration.activation import approvals, baseline, catalogue
from orchestration.activation.outbox import Outbox
from orchestration.activation.state import State
from orchestration.home import Home


def approve(key: str, *, actor: str, reason: str, as_json: bool) -> int:
    """Approve one account for additions, or one build's newly eligible people, and say what that released."""
    what, _, number = key.partition(":")
    of_build = what == "build" and number.isdigit()
    account = "" if of_build else _destination(key).key
    home = Home.current()
    state = State.of(home)
    try:
        if of_build:
            done = approvals.approve_build(state, int(number), actor, reason)
        else:
            done = approvals.approve(state, account, actor, reason)
    finally:
        state.close()
    if as_json:
        console.print_json(asdict(done))
        return 0
    console.out.print(f"Approved {done.account}. {done.ready} plans are ready: audiences apply, or the next run.")
    if done.held:
        console.out.print(f"{done.held} plans are held by something else: audiences status says by what.")
    return 0


def take_baseline(keys: Sequence[str], *, actor: str, reason: str, as_json: bool) -> int:
    """Let every place of these accounts (none = all) be read back before the next plan."""
    if not actor.strip() or not reason.strip():
        raise ConfigurationError("A baseline needs --actor and --reason: both are kept.")
    wanted = {_destination(key).key for key in keys}
    home = Home.current()
    state = State.of(home)
    try:
        owed = baseline.mark(state, catalogue.read(home), f"{actor.strip()}: {reason.strip()}", accounts=wanted)
    finally:
        state.close()
    if as_json:
        console.print_json([asdict(one) for one in owed])
    else:
        console.out.print(f"{len(owed)} places are read back before the next plan (audiences run or audiences plan).")
    return 0


def mended(key: str, *, actor: str, reason: str, as_json: bool) -> int:
    """Close the calls to an account that were given up; 1 when there are none."""
    if not actor.strip() or not reason.strip():
        raise ConfigurationError("What was mended needs --actor and --reason: both are kept.")
    state = State.of(Home.current())
    try:
        closed = Outbox(state).mended(key, f"mended by {actor.strip()}: {reason.strip()}")
    finally:
        state.close()
    if as_json:
        console.print_json({"account": key, "closed": closed})
    else:
        console.out.print(f"{closed} calls to {key} that were given up are closed.")
    return 0 if closed else 1


def approve_all(home: Home, *, actor: str, reason: str) -> list[str]:
    """Approve every configured account that was never approved; returns their keys."""
    state = State.of(home)
    try:
        keys = approvals.never_approved(state, registry.all_platforms(), registry.configured())
        for key in keys:
            approvals.approve(state, key, actor, reason)
    finally:
        state.close()
    return keys


def _destination(key: str) -> Account:
    """A configured account that audiences can be pushed to; ConfigurationError for any other."""
    platform, colon, name = key.partition(":")
    if not colon or not name:
        raise ConfigurationError(f"{key!r} is no account: write platform:account, such as klaviyo:main.")
    account = registry.account(platform, name)
    kind = registry.platform(platform).destination_class()
    if kind is None or not kind.offers("add"):
        raise ConfigurationError(f"Nobody is ever added at {key}, so it needs no approval and no baseline.")
    return account
