"""`audiences webhooks new`, `tokens` and `revoke`: a URL that works, printed once, and a hash that is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from dlt_sources import url_tokens
from dlt_sources.errors import AudiencesError, ConfigurationError
from orchestration import home as homes
from orchestration.cli import app as commands
from orchestration.home import Home
from orchestration.landing import unsigned
from orchestration.landing.receiver import app
from tests.landing.senders import PUBLIC, Request, publish_catalogue, send, serving
from tests.landing.setpixel import landed

NEW = ["webhooks", "new", "--tag", "Buyer", "--audience", "webinar_follow_up"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt/config.toml").write_text(f'[receiver]\npublic_url = "{PUBLIC}/"\n[sources.aevent.main]\n')
    monkeypatch.setenv("AUDIENCES_HOME", str(tmp_path))
    segments = tmp_path / "project" / "models" / "segments"
    segments.mkdir(parents=True)
    for name, leave_on in (("webinar_follow_up", ["order_placed", "TAG: buyer"]), ("others", ["order_placed"])):
        twin = {"models": [{"name": name, "config": {"meta": {"audience": {"leave_on": leave_on}}}}]}
        (segments / f"{name}.yml").write_text(yaml.safe_dump(twin))
    (segments / "broken.yml").write_text("models: [")
    monkeypatch.setattr(homes, "DBT_PROJECT", tmp_path / "project")
    return Home(tmp_path)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(commands, [*arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def urls(output: str) -> list[str]:
    return re.findall(r"https://\S+", output)


def test_the_printed_urls_are_ready_to_paste_and_work(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_catalogue(home, leave_on=("tag:buyer",), name="webinar_follow_up")
    by_mail, by_id = urls(run(*NEW, "--label", "Zapier"))
    assert by_mail.startswith(f"{PUBLIC}/setpixel?page=webhook&wtl=")
    assert by_mail.endswith("&value=Buyer&email=")
    assert by_id == by_mail.replace("&email=", "&r=")
    [token] = parse_qs(urlsplit(by_mail).query)["wtl"]
    assert re.fullmatch(r"[A-Za-z0-9]{8,64}", token)
    with serving(app(home)) as port:
        for url, value in ((by_mail, "jane%40example.com"), (by_id, "0012ab")):
            assert send(port, Request(url.removeprefix(PUBLIC) + value, b"", method="GET"))[0] == 200
    assert {one.lane for one in landed(home)} == {"speed"}


def test_only_the_hash_is_kept_and_the_list_tells_it_by_six_characters(home: Home) -> None:
    url, _ = urls(run(*NEW, "--label", "Zapier\n, after payment"))
    [token] = parse_qs(urlsplit(url).query)["wtl"]
    for path in home.data.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path
    [listed] = json.loads(run("webhooks", "tokens", "--json"))
    assert listed["token"] == url_tokens.hash_of(token)[:6]
    assert (listed["account"], listed["tags"], listed["revoked"]) == ("aevent:main", ["Buyer"], "")
    assert listed["label"] == "Zapier , after payment"
    assert listed["may"] == "suppress only"
    assert token not in run("webhooks", "tokens")


def test_two_tokens_live_side_by_side_until_one_is_revoked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsigned, "UNKNOWN_SECONDS", 0.0)
    old, new = urls(run(*NEW))[0], urls(run(*NEW))[0]
    old_token = parse_qs(urlsplit(old).query)["wtl"][0]

    def call(url: str) -> int:
        return send(port, Request(f"{url.removeprefix(PUBLIC)}a%40x.com", b"", method="GET"))[0]

    with serving(app(home)) as port:
        assert [call(old), call(new)] == [200, 200]
    run("webhooks", "revoke", url_tokens.hash_of(old_token)[:6])
    with serving(app(home)) as port:
        assert [call(old), call(new)] == [403, 200]
    revoked = [one["revoked"] for one in json.loads(run("webhooks", "tokens", "--json"))]
    assert [bool(one) for one in revoked] == [True, False]
    with pytest.raises(AudiencesError, match="names 0 live tokens"):
        run("webhooks", "revoke", url_tokens.hash_of(old_token)[:6])


def test_an_audience_that_is_not_left_on_the_tag_is_told_the_line_to_write(home: Home) -> None:
    with pytest.raises(ConfigurationError) as raised:
        run("webhooks", "new", "--tag", "Gold Buyer", "--audience", "others")
    assert 'models/segments/others.yml, under audience: leave_on: [order_placed, "tag:Gold Buyer"]' in str(raised.value)
    with pytest.raises(ConfigurationError, match="known are others, webinar_follow_up"):
        run("webhooks", "new", "--tag", "Buyer", "--audience", "nobody")
    with pytest.raises(ConfigurationError, match=r"could not be read: models/segments/broken\.yml"):
        run("webhooks", "new", "--tag", "Buyer", "--audience", "broken")
    assert run("webhooks", "tokens").startswith("There is no token yet")


def test_what_still_has_to_happen_is_said(home: Home) -> None:
    assert "No build has published webinar_follow_up with Buyer yet" in " ".join(run(*NEW).split())
    publish_catalogue(home, leave_on=("tag:buyer",), name="webinar_follow_up")
    assert json.loads(run(*NEW, "--json"))["notes"] == []
    (home.folder / ".dlt/config.toml").write_text("[sources.aevent.main]\n")
    answer = json.loads(run(*NEW, "--json"))
    assert answer["urls"]["Buyer"]["by e-mail address"].startswith("https://<receiver>/setpixel?")
    assert "public_url" in answer["notes"][0]


def test_an_account_that_is_not_configured_is_told_its_section(home: Home) -> None:
    with pytest.raises(ConfigurationError, match=r"\[sources\.aevent\.second\]"):
        run(*NEW, "--account", "second")
    with pytest.raises(ConfigurationError, match="takes no token"):
        run(*NEW, "--platform", "klaviyo")


@pytest.mark.parametrize("tag", ["", " ", "x" * 65, "a\nb"])
def test_odd_tags_are_refused(home: Home, tag: str) -> None:
    with pytest.raises(ConfigurationError, match="is no tag"):
        run("webhooks", "new", "--tag", tag, "--audience", "webinar_follow_up")


def test_the_line_to_write_is_not_asked_for_where_it_stands(home: Home) -> None:
    publish_catalogue(home, leave_on=("tag:buyer",), name="webinar_follow_up")
    answer = json.loads(run("webhooks", "new", "--tag", "BUYER", "--audience", "webinar_follow_up", "--json"))
    assert list(answer["urls"]) == ["BUYER"]
    assert answer["notes"] == []
