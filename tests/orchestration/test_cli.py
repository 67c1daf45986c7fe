"""The command line as people meet it: every command through a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from dlt_sources import registry
from orchestration.cli import app
from sandbox.client import Sandbox
from sandbox.server import running
from tests.platforms.servers import answering

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]
PLATFORMS = [platform.name for platform in registry.all_platforms()]


def audiences(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `audiences` in a home and a working folder of its own."""
    ours = ("AUDIENCES_", "SOURCES__", "DAGSTER_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *arguments],
        cwd=home, env={**clean, "PYTHONPATH": str(ROOT), "AUDIENCES_HOME": str(home), **variables},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def configure(home: Path, name: str, text: str) -> None:
    (home / ".dlt").mkdir(exist_ok=True)
    (home / ".dlt" / name).write_text(text)


def test_the_bare_command_lists_all_commands_and_where_to_start(tmp_path: Path) -> None:
    told = audiences(tmp_path)
    text = told.stdout + told.stderr
    assert [command for command in COMMANDS if f"  {command} " not in text] == []
    assert "Start with: audiences demo" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_says_what_it_does_and_what_each_option_means(tmp_path: Path, command: str) -> None:
    told = audiences(tmp_path, command, "--help")
    assert (told.returncode, told.stderr) == (0, "")
    usage, _, rest = told.stdout.partition("\n\n")
    assert f"{command} " in usage
    sentence = " ".join(rest.partition("\n\n")[0].split())
    assert len(sentence) > 20
    assert sentence.endswith((".", ")"))
    for parameter in get_command(app).commands[command].params:  # type: ignore[attr-defined]
        assert parameter.help, f"{command} {parameter.name} has no help"
    assert list(tmp_path.iterdir()) == []


def test_help_imports_nothing_that_takes_long(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['audiences', '--help']\n"
        "import orchestration.cli as cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = 'dagster dbt dlt duckdb sqlalchemy pandas pyarrow requests great_expectations'.split()\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip().splitlines()[-1] == "[]"


def test_platforms_without_configuration_is_a_list_of_what_could_be(tmp_path: Path) -> None:
    told = audiences(tmp_path, "platforms", "--json")
    assert (told.returncode, told.stderr) == (0, "")
    found = {one["name"]: one for one in json.loads(told.stdout)}
    assert sorted(found) == sorted(PLATFORMS)
    assert all(one["accounts"] == {} for one in found.values())
    assert found["klaviyo"]["pulls"] == ["profiles", "events", "metrics"]
    assert {"add", "remove", "suppress"} <= set(found["klaviyo"]["pushes"])
    assert "add" not in found["twilio"]["pushes"]
    text = audiences(tmp_path, "platforms").stdout
    assert text.count("not configured") == len(PLATFORMS)


def test_platforms_with_a_configuration_names_the_accounts_and_no_secret(tmp_path: Path) -> None:
    configure(tmp_path, "secrets.toml", '[sources.klaviyo.main]\napi_key = "shhh"\n[sources.klaviyo.second]\n')
    told = audiences(tmp_path, "platforms", "--json", SOURCES__KLAVIYO__SECOND__API_KEY="shhh")
    [klaviyo] = [one for one in json.loads(told.stdout) if one["name"] == "klaviyo"]
    assert klaviyo["accounts"] == {"main": "configured", "second": "configured"}
    assert "shhh" not in told.stdout + told.stderr


def test_platforms_check_says_which_account_works_and_which_does_not(tmp_path: Path) -> None:
    with running(tmp_path / "sandbox", people=20) as sandbox, answering() as (url, answer):
        answer.status = 401
        configure(tmp_path, "secrets.toml", _account(sandbox, "main") + _account(sandbox, "sick", base_url=url))
        told = audiences(tmp_path, "platforms", "--check", "--json")
        healthy = audiences(
            tmp_path, "platforms", "--check", SOURCES__KLAVIYO__SICK__BASE_URL=sandbox.config["klaviyo"]["base_url"]
        )
    assert told.returncode == 1
    [klaviyo] = [one for one in json.loads(told.stdout) if one["name"] == "klaviyo"]
    assert klaviyo["accounts"]["main"] == "works"
    assert "HTTP 401" in klaviyo["accounts"]["sick"]
    assert "[sources.klaviyo.sick]" in klaviyo["accounts"]["sick"]
    assert (healthy.returncode, healthy.stderr) == (0, "")


def test_all_missing_keys_are_told_at_once_without_a_traceback(tmp_path: Path) -> None:
    configure(tmp_path, "config.toml", "[sources.klaviyo.main]\n[sources.twilio.main]\n")
    told = audiences(tmp_path, "platforms", "--json")
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("audiences: klaviyo (main) lacks api_key: write it under [sources.klaviyo.main]")
    assert "twilio (main) lacks account_sid, auth_token" in told.stderr
    assert "Traceback" not in told.stderr


def test_with_debug_an_error_shows_where_it_arose(tmp_path: Path) -> None:
    configure(tmp_path, "config.toml", "[sources.klaviyo.main]\n")
    told = audiences(tmp_path, "--debug", "platforms")
    assert told.returncode not in (0, 2)
    assert "Traceback" in told.stderr
    assert "ConfigurationError" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "advice"),
    [
        (["why", "jane@example.com"], 1, "audiences run"),
        (["plan"], 1, "run"),
        (["review", "decide", "x", "--stop", "--actor", "jo", "--reason", "read"], 1, "audiences run"),
        (["apply", "abc123"], 2, "audiences plan"),
        (["apply", "abc123", "--approve"], 2, "--actor"),
        (["run", "--job", "hourly"], 2, "near_real_time"),
        (["demo", "--people", "3"], 2, "--people"),
        (["sandbox", "--people", "3"], 2, "--people"),
        (["why"], 2, "subject"),
        (["lunch"], 2, "lunch"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_error_says_what_to_do_and_the_exit_code_says_whose_turn_it_is(
    tmp_path: Path, arguments: list[str], code: int, advice: str
) -> None:
    """1 = the work could not be done, 2 = the call or the configuration is to be mended."""
    told = audiences(tmp_path, *arguments)
    assert (told.returncode, told.stdout) == (code, ""), told.stderr
    assert advice in told.stderr
    assert "Traceback" not in told.stderr
    assert "unexpected" not in told.stderr


def test_applying_nothing_is_no_error_and_valid_json(tmp_path: Path) -> None:
    told = audiences(tmp_path, "apply", "--json")
    assert (told.returncode, json.loads(told.stdout)) == (0, [])


def test_home_may_be_named_on_the_command_line(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    configure(elsewhere, "secrets.toml", '[sources.klaviyo.main]\napi_key = "k"\n')
    assert "main: configured" in audiences(tmp_path, "--home", str(elsewhere), "platforms").stdout


def _account(sandbox: Sandbox, name: str, **changes: str) -> str:
    config = {key: value for key, value in sandbox.config["klaviyo"].items() if isinstance(value, str)}
    values = {**config, **sandbox.credentials["klaviyo"], **changes}
    return "\n".join([f"[sources.klaviyo.{name}]", *(f"{key} = {json.dumps(v)}" for key, v in values.items()), ""])
