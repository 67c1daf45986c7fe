"""Shops that are built as in production: of generated people, and with more questions than their audiences ask."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import duckdb

from dlt_sources.errors import AudiencesError
from orchestration.demo_shop import bring_receipts, write_configuration
from orchestration.home import Home
from orchestration.parsing import dbt_command, environment
from orchestration.registering import bring_all
from sandbox.server import running
from tests.end_to_end.shop import command
from tests.end_to_end.shop import environment as environment_of

#: What no audience of the project asks: other goods, channels, lists, senders and purposes.
MORE = [
    *(
        f"{channel}|marketing|{topic}|any|{goods}|default"
        for goods in ("none", "alcohol", "vape", "tobacco", "cannabis", "adult")
        for channel, topic in (("email", "marketing"), ("email", "news"), ("sms", "marketing"), ("ads_audience", "*"))
    ),
    *(f"{channel}|marketing|marketing|any|none|default" for channel in ("mms", "whatsapp", "voice")),
    "sms|marketing|marketing|+18885550142|none|default",
    "email|transactional|orders|any|none|default",
    "sms|transactional|orders|any|none|default",
    "sms|transactional|orders|+18885550142|none|default",
]


def ask_more(warehouse: Path, folder: Path) -> Path:
    """A copy of a built shop in which the models decide all of MORE too: kept audiences ask them there."""
    home = Home(folder)
    home.data.mkdir(parents=True, exist_ok=True)
    shutil.copy(warehouse, home.warehouse)
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("CREATE OR REPLACE TABLE audiences.asked_too AS SELECT unnest(?) AS question_id", [MORE])
    models = dbt_command("run", "--select", "questions+,+decisions")
    built = subprocess.run(models, env={**os.environ, **environment(home)}, capture_output=True, text=True, check=False)
    if built.returncode:
        raise AudiencesError(f"The models did not build:\n{built.stdout[-4000:]}{built.stderr[-2000:]}")
    return home.warehouse


def generated(folder: Path, people: int, seed: int) -> Path:
    """The published copy of a shop of so many generated people, pulled and built by the daily job."""
    home = Home(folder)
    with running(home.data / "sandbox", people=people, seed=seed, unlimited=True) as sandbox:
        described = {"urls": sandbox.urls, "config": sandbox.config, "credentials": sandbox.credentials}
        write_configuration(home, described, "")
        bring_all(home, actor="tests")
        bring_receipts(home, sandbox.registries())
        # No destination is approved, so that nothing is pushed.
        ran = subprocess.run(command("run"), env=environment_of(folder), capture_output=True, text=True, check=False)
    if not home.published_warehouse.exists():
        raise AudiencesError(f"The daily job failed:\n{ran.stdout[-4000:]}{ran.stderr[-2000:]}")
    return home.published_warehouse
