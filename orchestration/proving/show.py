"""What the commands of this room print."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

from dlt_sources.errors import ConfigurationError
from orchestration import console
from orchestration.home import Home
from orchestration.reporting.exposures import Exposure, every, exposures, latest
from orchestration.warehouse import published


def show_exposure(*, as_json: bool) -> int:
    """Print the exposure report; 1 when a deadline was missed or a platform sent what it held a withdrawal for."""
    with published(Home.current()) as connection:
        found = exposures(connection)
        sends = every(connection) if as_json else latest(connection)
    if as_json:
        console.print_json({"exposures": found, "sends": sends})
    elif not found:
        console.out.print("Nothing that is known of was sent to anybody after a withdrawal.")
    else:
        columns = [name.replace("_", " ") for name in Exposure.__slots__]
        console.out.print(console.table("Sends after a withdrawal", columns, [astuple(one) for one in found]))
        for one in sends:
            honoured = f"honoured {one.honoured_at:%Y-%m-%d %H:%M} UTC" if one.honoured_at else "not honoured yet"
            clock = (
                f"{one.honour_clock} ({one.jurisdiction}) {'kept' if one.is_clock_kept else 'MISSED'}, due "
                f"{one.honour_by:%Y-%m-%d %H:%M} UTC"
                if one.honour_by
                else "no deadline is known there"
            )
            console.out.print(
                f"  {one.sent_at:%Y-%m-%d %H:%M} UTC {one.send_kind} {one.send_id} to {one.person_id}: withdrawn "
                f"{one.withdrawn_at:%Y-%m-%d %H:%M} UTC, {honoured}; {clock}"
            )
    return int(any(one.past_clock or one.after_honouring for one in found))


def write_pack(subject: str | None, *, send: str | None, folder: Path, actor: str, as_json: bool) -> int:
    """Write an evidence pack and say where it lies and that it holds raw personal data."""
    from orchestration.proving import pack

    if (subject is None) == (send is None):
        raise ConfigurationError("Name one person, or one send with --send WRITE_ID (`audiences why` lists them).")
    home = Home.current()
    if send is not None:
        with console.err.status("...") as status:
            made = pack.of_send(home, send, folder, actor=actor, tell=lambda text: status.update(text))
    else:
        made = pack.of_person(home, subject or "", folder, actor=actor)
    if as_json:
        console.print_json(made)
    else:
        console.out.print(f"{made.folder}: {made.files} files, {made.raw_rows} raw rows; begin with index.html.")
        console.out.print(f"Manifest SHA-256 {made.manifest_hash}; the export is on record as {made.export_id}.")
    console.err.print(
        "It holds raw personal data: hand it over encrypted, and remove it when it has served.",
        style="yellow",
        soft_wrap=True,
    )
    return 0
