"""`audiences docs`: dbt's documentation as one self-contained page."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from dlt_sources import registry
from dlt_sources.errors import ConfigurationError
from orchestration import warehouse
from orchestration.home import Home
from orchestration.parsing import dbt_command, environment, manifest


def build() -> Path:
    """Write the page to `data/published/dbt_docs/index.html` and return its path; builds nothing in the warehouse."""
    home = Home.current()
    with warehouse.opened(home) as connection:
        warehouse.ensure_raw(connection, registry.all_platforms(), registry.configured())
    manifest(home)
    result = subprocess.run(
        dbt_command("docs", "generate", "--static"),
        env={**os.environ, **environment(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if result.returncode:
        raise ConfigurationError(f"dbt could not write its docs:\n{result.stdout.strip()}")
    page = home.published / "dbt_docs" / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(home.dbt / "target" / "static_index.html", page)
    return page
