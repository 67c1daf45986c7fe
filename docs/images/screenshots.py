"""Screenshots of the real thing for the documentation, and the demo's output for the README: `make screenshots`.

Runs the demo in a folder of its own, starts Dagster's web server on what it left, and lets headless Chromium look.
Needs `chromium` and `pdftoppm` (Debian: chromium, poppler-utils).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from orchestration.processes import Children, free_port, listening

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHOP = Path(tempfile.gettempdir()) / "audiences-screenshots"
#: No picture may weigh more, so that the repository stays light.
MOST_BYTES = 300_000
_CHROMIUM = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--virtual-time-budget=15000",
)
#: Pages of Dagster: name, path, width and height.
_DAGSTER = (
    ("dagster-lineage", "asset-groups", 1400, 620),
    ("dagster-plans", "assets/activation/plans", 1400, 1000),
    (
        "dagster-check",
        "assets/destinations/klaviyo/main/recent_buyers?view=checks&checkDetail=may_cross_to_destinations",
        *(1400, 900),
    ),
)


def main() -> None:
    """Run the demo, look at its report and at Dagster, and write every picture beside this file."""
    home = run_demo()
    report = (home / "data" / "published" / "report.html").as_uri()
    look(report, "report", 1000, 1200)
    look(framed(f"{report}#a-vape_buyers_of_age", 1000), "report-why", 1000, 1000)
    look(framed(report, 360), "report-phone", 500, 1000)
    look((home / "data" / "published" / "data_docs" / "index.html").as_uri(), "data-docs", 900, 620)
    print_first_page(report, "report-printed")
    look_at_dagster(home)


def run_demo() -> Path:
    """Run the demo from nothing, and put what it prints into the README; returns its home."""
    shutil.rmtree(SHOP, ignore_errors=True)
    SHOP.mkdir()
    printed = call([sys.executable, "-m", "orchestration.cli", "demo", "--fresh"], cwd=SHOP)
    lines = [line.rstrip() for line in printed.replace(f"{SHOP}/", "").splitlines()]
    readme = ROOT / "README.md"
    before, fence, rest = readme.read_text().partition("```text\n")
    readme.write_text(f"{before}{fence}{chr(10).join(lines)}\n```{rest.partition('```')[2]}")
    return SHOP / "data" / "demo"


def look_at_dagster(home: Path) -> None:
    """Start the web server alone: without the daemon no run begins while we look."""
    port = free_port()
    places = {"AUDIENCES_HOME": str(home), "DAGSTER_HOME": str(home / "data" / "dagster"), "PYTHONPATH": str(ROOT)}
    with Children(home / "data" / "logs", places) as children:
        server = ["dagster_webserver", "-w", str(ROOT / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
        children.start("web-server", server)
        children.wait_for("web-server", lambda: listening(port), 120)
        for name, path, width, height in _DAGSTER:
            look(f"http://127.0.0.1:{port}/{path}", name, width, height)


def look(address: str, name: str, width: int, height: int) -> None:
    """Take one screenshot."""
    browse([f"--screenshot={HERE / name}.png", f"--window-size={width},{height}", address])
    check(HERE / f"{name}.png")


def framed(address: str, width: int) -> str:
    """A page that shows another one at a width that Chromium's window cannot have, and at the place that it names."""
    page = SHOP / "frame.html"
    page.write_text(
        '<body style="margin:0;background:#9aa5b1;display:flex;justify-content:center">'
        f'<iframe src="{address}" style="width:{width}px;height:100vh;border:0;background:#fff"></iframe>'
    )
    return page.as_uri()


def print_first_page(address: str, name: str) -> None:
    """Print a page to PDF as a reader would, and show its first sheet."""
    browse(["--no-pdf-header-footer", f"--print-to-pdf={SHOP / 'printed.pdf'}", address])
    call([tool("pdftoppm"), "-png", "-singlefile", "-r", "80", str(SHOP / "printed.pdf"), str(HERE / name)])
    check(HERE / f"{name}.png")


def browse(arguments: Sequence[str]) -> None:
    """Let Chromium do one thing, with a profile that is thrown away."""
    with tempfile.TemporaryDirectory() as profile:
        call([tool("chromium"), *_CHROMIUM, f"--user-data-dir={profile}", *arguments])


def check(picture: Path) -> None:
    """Refuse a picture that is missing or too heavy."""
    size = picture.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"{picture.name} weighs {size:,} bytes; at most {MOST_BYTES:,} are allowed.")
    sys.stdout.write(f"{picture.name}: {size:,} bytes\n")


def tool(name: str) -> str:
    """Where a program is; ends with what to install when it is nowhere."""
    return shutil.which(name) or sys.exit(f"{name} is missing: install chromium and poppler-utils.")


def call(command: Sequence[str], cwd: Path = ROOT) -> str:
    """Run a program to its end; returns what it printed, and shows its complaints only when it fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=cwd, env=environment, check=False, timeout=600, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        sys.exit(f"{Path(command[0]).name} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
