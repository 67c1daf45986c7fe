"""`audiences backup` and `audiences restore` in words."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from orchestration import console
from orchestration.home import Home


def back_up(file: Path, *, with_warehouse: bool, as_json: bool) -> int:
    """Write a backup and say what it holds."""
    from orchestration.backups import backup

    done = backup(Home.current(), file, with_warehouse=with_warehouse)
    if as_json:
        console.print_json(asdict(done))
    else:
        what = "with" if done.with_warehouse else "without"
        size = f"{done.bytes / 1e6:.1f} MB"
        console.out.print(f"{done.file}: {size}, {done.landing_files} landing files, {what} the warehouse.")
    console.err.print(
        "It holds the key and personal data: keep it where nobody else can read it.", style="yellow", soft_wrap=True
    )
    return 0


def restore(file: Path, *, as_json: bool) -> int:
    """Restore a backup and say what follows."""
    from orchestration.restoring import restore as put_back

    done = put_back(Home.current(), file)
    if as_json:
        console.print_json(asdict(done))
        return 0
    out = console.out
    out.print(f"Restored {done.files} files as of {done.taken_at[:19]} UTC.")
    out.print(f"  {done.requeued} webhook requests are loaded again with the next build.")
    out.print(f"  {done.baselines} places are read back before anything is planned for them.")
    if not done.with_warehouse:
        out.print("  The warehouse is not in it: every source is pulled from its beginning.")
    out.print(
        "  Opt-outs that came by webhook since then are known only where a platform shows them when it is pulled."
    )
    out.print("Next: audiences run --job daily, then start the receiver and Dagster; audiences status says what waits.")
    return 0
