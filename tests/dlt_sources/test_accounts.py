"""Accounts: where their keys come from, what is said when some lack, and what never shows."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from dlt_sources import accounts
from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Credential, Platform

SHOP = Platform(
    name="shop",
    title="Shop",
    documentation="",
    credentials=(
        Credential(name="domain", description="", secret=False),
        Credential(name="token", description="", unless=("client_id", "client_secret")),
        Credential(name="client_id", description="", required=False),
        Credential(name="client_secret", description="", required=False),
    ),
)
MAILER = Platform(
    name="mailer", title="Mailer", documentation="", credentials=(Credential(name="api_key", description=""),)
)


@pytest.fixture(autouse=True)
def no_outer_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("SOURCES__")]:
        monkeypatch.delenv(variable)


def write(home: Path, *, config: str = "", secrets: str = "") -> Path:
    folder = home / ".dlt"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(config)
    (folder / "secrets.toml").write_text(secrets)
    return home


def test_no_section_means_no_account(tmp_path: Path) -> None:
    assert accounts.load([SHOP, MAILER], tmp_path) == []
    write(tmp_path, config='[sources.mailer.main]\napi_key = "k"\n')
    assert [account.key for account in accounts.load([SHOP, MAILER], tmp_path)] == ["mailer:main"]


def test_the_environment_wins_over_secrets_and_secrets_over_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = '[sources.shop.main]\ndomain = "{0}"\ntoken = "{0}"\nclient_id = "{0}"\n'
    write(tmp_path, config=section.format("config"), secrets='[sources.shop.main]\ntoken="secret"\nclient_id="secret"')
    monkeypatch.setenv("SOURCES__SHOP__MAIN__CLIENT_ID", "environment")
    [account] = accounts.load([SHOP], tmp_path)
    assert (account["domain"], account["token"], account["client_id"]) == ("config", "secret", "environment")


def test_an_account_may_live_in_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__MAILER__SECOND__API_KEY", "k")
    monkeypatch.setenv("SOURCES__MAILER__SECOND__BRAND", "acme")
    monkeypatch.setenv("SOURCES__MAILER__SECOND__MARKETS", "US,CA")
    [account] = accounts.load([MAILER], tmp_path)
    assert (account.key, account.brand, account.markets) == ("mailer:second", "acme", ("US", "CA"))


def test_several_accounts_of_a_platform_come_sorted_and_apart(tmp_path: Path) -> None:
    write(
        tmp_path,
        config=(
            '[sources.mailer.west]\nbrand = "w"\ndefault_region = "US"\nmarkets = ["US"]\n'
            '[sources.mailer.east]\nbrand = "e"\n'
        ),
        secrets='[sources.mailer.west]\napi_key = "kw"\n[sources.mailer.east]\napi_key = "ke"\n',
    )
    east, west = accounts.load([MAILER], tmp_path)
    assert (east.name, east.brand, east.default_region, east.markets, east["api_key"]) == ("east", "e", "", (), "ke")
    assert (west.name, west.brand, west.default_region, west.markets, west["api_key"]) == (
        "west", "w", "US", ("US",), "kw",
    )  # fmt: skip


def test_a_brand_that_is_not_named_is_the_account(tmp_path: Path) -> None:
    write(tmp_path, secrets='[sources.mailer.main]\napi_key = "k"\n')
    assert accounts.load([MAILER], tmp_path)[0].brand == "main"


def test_all_missing_keys_of_all_accounts_are_in_one_message(tmp_path: Path) -> None:
    write(
        tmp_path,
        config='[sources.shop.main]\nbrand = "acme"\n[sources.mailer.main]\n[sources.mailer.second]\n',
        secrets='[sources.mailer.second]\napi_key = ""\n',
    )
    with pytest.raises(ConfigurationError) as caught:
        accounts.load([SHOP, MAILER], tmp_path)
    message = str(caught.value)
    assert "shop (main) lacks domain, token:" in message
    assert "mailer (main) lacks api_key:" in message
    assert "mailer (second) lacks api_key:" in message
    assert "[sources.shop.main]" in message
    assert "SOURCES__SHOP__MAIN__DOMAIN, SOURCES__SHOP__MAIN__TOKEN" in message


def test_a_key_may_be_left_out_when_all_that_replace_it_are_there(tmp_path: Path) -> None:
    replaced = '[sources.shop.main]\ndomain = "d"\nclient_id = "i"\n'
    write(tmp_path, secrets=replaced)
    with pytest.raises(ConfigurationError, match="lacks token"):
        accounts.load([SHOP], tmp_path)
    write(tmp_path, secrets=replaced + 'client_secret = "s"\n')
    assert accounts.load([SHOP], tmp_path)[0].get("token", "none") == "none"


def test_an_optional_key_that_is_asked_for_and_absent_is_named(tmp_path: Path) -> None:
    write(tmp_path, secrets='[sources.shop.main]\ndomain = "d"\ntoken = "t"\n')
    with pytest.raises(ConfigurationError, match="shop \\(main\\) lacks client_secret"):
        accounts.load([SHOP], tmp_path)[0]["client_secret"]


def test_no_secret_is_in_a_repr_or_a_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    write(tmp_path, secrets='[sources.shop.main]\ntoken = "shhh"\n[sources.mailer.main]\napi_key = "shhh"\n')
    with pytest.raises(ConfigurationError) as caught:
        accounts.load([SHOP, MAILER], tmp_path)
    [account] = accounts.load([MAILER], tmp_path)
    assert account["api_key"] == "shhh"
    assert "shhh" not in repr(account) + str(caught.value) + caplog.text


def test_a_file_that_is_no_toml_is_named_without_its_content(tmp_path: Path) -> None:
    write(tmp_path, secrets="[sources.mailer.main]\napi_key = shhh\n")
    with pytest.raises(ConfigurationError, match=r"secrets\.toml is not valid TOML") as caught:
        accounts.load([MAILER], tmp_path)
    assert "shhh" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ['sources = "shhh"', '[sources]\nmailer = "shhh"', '[sources.mailer]\napi_key = "shhh"']
)
def test_a_key_at_the_wrong_level_is_answered_with_the_section_to_write(tmp_path: Path, content: str) -> None:
    write(tmp_path, secrets=content)
    with pytest.raises(ConfigurationError, match=r"secrets\.toml: write keys under a section \[sources\.") as caught:
        accounts.load([MAILER], tmp_path)
    assert "shhh" not in str(caught.value)


def test_a_section_of_something_that_is_no_platform_of_ours_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, config='[sources.weather]\nurl = "u"\n', secrets='[sources.mailer.main]\napi_key = "k"\n')
    assert [account.key for account in accounts.load([MAILER], tmp_path)] == ["mailer:main"]


def test_home_is_the_current_folder_unless_the_environment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUDIENCES_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert accounts.home() == tmp_path
    monkeypatch.setenv("AUDIENCES_HOME", str(tmp_path / "elsewhere"))
    assert accounts.home() == tmp_path / "elsewhere"


def test_an_account_is_known_by_platform_and_name() -> None:
    account = Account("shop", "main", "acme", "US", ("US",), {"token": "t"})
    assert account.key == "shop:main"
    assert asdict(account)["platform"] == "shop"


def test_external_ids_name_the_custom_field_of_each_other_account(tmp_path: Path) -> None:
    write(
        tmp_path,
        config='[sources.mailer.main]\napi_key = "k"\n[sources.mailer.main.external_ids]\n'
        '"aevent:main" = "aevent_registrant_id"\n"aevent:second" = "facts.second"\n',
    )
    [account] = accounts.load([MAILER], tmp_path)
    assert account.external_ids == {"aevent:main": "aevent_registrant_id", "aevent:second": "facts.second"}
    assert "external_ids" not in account.settings


def test_external_ids_may_stand_in_the_environment_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__MAILER__MAIN__API_KEY", "k")
    monkeypatch.setenv("SOURCES__MAILER__MAIN__EXTERNAL_IDS", '{"aevent:main": "r"}')
    [account] = accounts.load([MAILER], tmp_path)
    assert account.external_ids == {"aevent:main": "r"}


@pytest.mark.parametrize(
    "written", ['"aevent_registrant_id"', '{"aevent" = "r"}', '{"aevent:main" = 5}', '{"aevent:main" = ""}', "[1]"]
)
def test_external_ids_of_another_shape_are_told_what_to_write(tmp_path: Path, written: str) -> None:
    write(tmp_path, config=f'[sources.mailer.main]\napi_key = "k"\nexternal_ids = {written}\n')
    with pytest.raises(ConfigurationError, match=r"\[sources\.mailer\.main\.external_ids\]"):
        accounts.load([MAILER], tmp_path)
