"""What every platform must keep, run over all packages in `dlt_sources/platforms/` and their stand-ins.

A new platform is tested by this file before it has tests of its own; messages say what to write where something lacks.
"""

from __future__ import annotations

import ast
import csv
import importlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_sources import accounts, http, registry, url_tokens
from dlt_sources.accounts import Account
from dlt_sources.errors import (
    ConfigurationError,
    NotOffered,
    PlatformError,
    RetryLater,
    SetAside,
    StopRun,
    WebhookRejected,
)
from dlt_sources.platform import (
    LANES,
    Delivery,
    Destination,
    Identifier,
    Job,
    Object,
    Outcome,
    Platform,
    Row,
    Target,
    WebhookRequest,
)
from dlt_sources.pull import Pulled, pull
from dlt_sources.url_tokens import Fixed, UrlToken
from orchestration import new_platform
from sandbox.client import Sandbox, SandboxError
from sandbox.server import running
from tests.platforms.servers import Answering, answering, catching
from tests.test_vocabulary import VOCABULARY, event_names

ROOT = Path(__file__).parents[1]
PACKAGES = ROOT / "dlt_sources" / "platforms"
PLATFORMS = registry.all_platforms()
ASTRAY = [platform.name for platform in PLATFORMS if not (PACKAGES / platform.name).is_dir()]
assert not ASTRAY, f"a platform bears the name of its folder in dlt_sources/platforms/: mend `name` of {ASTRAY}"
#: What every platform that signs nothing finds in its URL.
URL_TOKEN = "c0ntractT0ken1"
PulledOnce = Callable[[Platform], "tuple[Landed, list[Pulled]]"]
PUBLIC = "https://hooks.example.test"
EMAIL, PHONE = "jane.doe@example.com", "+14155550123"


def those(capable: Callable[[Platform], bool]) -> pytest.MarkDecorator:
    """The platforms that a claim speaks of; the others are no parameters, for nobody passes by being left alone."""
    return pytest.mark.parametrize("platform", [p for p in PLATFORMS if capable(p)], ids=lambda platform: platform.name)


def offers(*operations: str) -> Callable[[Platform], bool]:
    """Whether a platform's destination offers all of them."""

    def all_of(platform: Platform) -> bool:
        cls = platform.destination_class()
        return cls is not None and all(cls.offers(operation) for operation in operations)

    return all_of


each_platform = those(lambda platform: True)
with_source = those(lambda platform: platform.has("source"))
with_webhook = those(lambda platform: platform.has("webhook"))
with_destination = those(lambda platform: platform.has("destination"))
#: What can be added and taken out again; where nobody can be taken out, only `purpose: suppression` adds.
with_members = those(offers("add", "remove"))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with running(home, people=80, seed=11, unlimited=True, job_seconds=0.02, public_url=PUBLIC) as started:
        yield started
        granted = started.calls(note="grant")
        assert not granted, f"these calls granted consent, which no code may do: {granted}"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads give up at the first failure: what comes out then is what this file looks at."""
    monkeypatch.setattr(http, "_RETRIES", http._NO_RETRIES)


def account_of(platform: Platform, sandbox: Sandbox) -> Account:
    assert platform.name in sandbox.urls, f"{platform.name} has no stand-in: write sandbox/platforms/{platform.name}/"
    settings = {**sandbox.credentials[platform.name], **sandbox.config[platform.name]}
    return Account(platform.name, "main", "acme", "US", ("US",), settings)


# --- the title page -------------------------------------------------------------------------------------------------


@each_platform
def test_the_title_page_is_short_and_complete(platform: Platform) -> None:
    folder = PACKAGES / platform.name
    lines = len((folder / "__init__.py").read_text().splitlines())
    assert lines <= 60, f"{platform.name}/__init__.py has {lines} lines of at most 60: move its tables to tables.py"
    assert (folder / "README.md").exists(), f"write {platform.name}/README.md: objects, credentials, webhooks"
    assert platform.documentation.startswith("https://"), "say in `documentation` where the platform describes its API"
    assert platform.has("client"), f"write {platform.name}/client.py: every platform has an address and a check"
    assert platform.has("source") is bool(platform.objects), (
        f"{platform.name}: objects on the title page are pulled by source.py; write both or neither"
    )
    assert platform.has("webhook") is bool(platform.topics), (
        f"{platform.name}: topics on the title page are read by webhook.py; write both or neither"
    )
    assert platform.has("webhook") or not platform.has("subscriptions"), (
        f"{platform.name}/subscriptions.py asks for webhooks that nobody reads: write webhook.py, or delete it"
    )


@each_platform
def test_the_credentials_of_the_stand_in_are_those_declared(platform: Platform, sandbox: Sandbox) -> None:
    known = {credential.name for credential in platform.credentials}
    account_of(platform, sandbox)  # says so where there is no stand-in
    odd = sandbox.credentials[platform.name].keys() - known
    assert not odd, f"declare the `credentials` of {platform.name}/__init__.py the stand-in asks for: {sorted(odd)}"


@each_platform
def test_nothing_is_left_to_write(platform: Platform) -> None:
    """A platform that `make platform` copied works like the one it was copied from until it is written."""
    folders = [ROOT / folder.format(name=platform.name) for folder in new_platform.FOLDERS]
    for folder in folders:
        assert folder.is_dir(), f"write {folder.relative_to(ROOT)}/"
    left = [
        f"{file.relative_to(ROOT)}: {what}"
        for folder in folders
        for file, what in new_platform.leftovers(folder).items()
    ]
    assert not left, "write these, and then delete the last line of each:\n  " + "\n  ".join(left)


@each_platform
def test_address_and_documentation_are_the_platforms_own(platform: Platform) -> None:
    borrowed = []
    for other in PLATFORMS:
        if other is not platform:
            limits = {limit.source for limit in platform.limits} & {limit.source for limit in other.limits}
            addresses = set(_addresses(platform)) & set(_addresses(other))
            same = {platform.documentation} & {other.documentation}
            found = {"`documentation`": same, "sources of `limits`": limits, "addresses in client.py": addresses}
            borrowed += [f"{what}: {sorted(values)} ({other.name}'s)" for what, values in found.items() if values]
    assert not borrowed, f"write in dlt_sources/platforms/{platform.name}/ its own\n  " + "\n  ".join(borrowed)


def _addresses(platform: Platform) -> list[str]:
    client = importlib.import_module(f"{platform.package}.client")
    return [value for value in vars(client).values() if isinstance(value, str) and value.startswith("https://")]


@each_platform
def test_names_on_the_title_page_are_unique_and_known(platform: Platform) -> None:
    for kind, names in {
        "objects": [obj.name for obj in platform.objects],
        "credentials": [credential.name for credential in platform.credentials],
        "topics": [topic.topic for topic in platform.topics],
        "limits": [limit.bucket for limit in platform.limits],
    }.items():
        assert len(set(names)) == len(names), f"{platform.name} declares one of its {kind} twice: {names}"
    for topic in platform.topics:
        assert topic.lane in LANES, f"{topic.topic} travels in {topic.lane!r}; the lanes are {LANES}"
        assert topic.event in event_names(), (
            f"{topic.topic} means {topic.event!r}, which is no standard event: take one of the accepted_values in "
            f"{VOCABULARY.relative_to(ROOT)}, or add it there"
        )
    for limit in platform.limits:
        assert limit.source.startswith("https://"), f"say where the limit {limit.bucket} is published"
        assert min(limit.calls, limit.seconds, limit.burst) > 0, f"the limit {limit.bucket} lets nothing through"
    known = {credential.name for credential in platform.credentials}
    for credential in platform.credentials:
        assert set(credential.unless) <= known, f"{credential.name} names keys that are not declared"


@each_platform
def test_modules_say_what_they_are_for_and_do_not_import_one_another(platform: Platform) -> None:
    others = [other.name for other in PLATFORMS if other is not platform]
    for file in (PACKAGES / platform.name).glob("*.py"):
        text = file.read_text()
        assert text.startswith('"""'), f"{platform.name}/{file.name} needs a docstring that says what it is for"
        for other in others:
            assert f"platforms.{other}" not in text, (
                f"{platform.name}/{file.name} imports {other}: platforms stand alone"
            )


@each_platform
def test_webhook_and_destination_load_without_dlt(platform: Platform) -> None:
    """The receiver and the speed lane start at once because they never import dlt."""
    names = [f"{platform.package}.{name}" for name in ("webhook", "destination", "client") if platform.has(name)]
    load = f"import sys, importlib as i; [i.import_module(n) for n in {names}]"
    code = f"{load}; print({{'dlt', 'pyarrow'}} & {{*sys.modules}})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert said.stdout.strip() == "set()", f"import {said.stdout.strip()} in {platform.name}/source.py alone"


def needed(platform: Platform) -> list[str]:
    return [credential.name for credential in platform.credentials if credential.required]


@those(lambda platform: bool(needed(platform)))
def test_missing_settings_are_named_together(platform: Platform, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        accounts.load([platform], bare_section(platform, tmp_path))
    assert [name for name in needed(platform) if name not in str(raised.value)] == []


@those(lambda platform: not needed(platform))
def test_an_account_that_needs_no_setting_is_loaded_without_any(platform: Platform, tmp_path: Path) -> None:
    [account] = accounts.load([platform], bare_section(platform, tmp_path))
    assert (account.platform, account.name) == (platform.name, "main")


def bare_section(platform: Platform, folder: Path) -> Path:
    (folder / ".dlt").mkdir()
    (folder / ".dlt/config.toml").write_text(f'[sources.{platform.name}.main]\nbrand = "acme"\n')
    return folder


# --- the source -----------------------------------------------------------------------------------------------------


@dataclass
class Landed:
    """A warehouse that one platform was pulled into."""

    platform: Platform
    account: Account
    home: Path

    def pull(self) -> list[Pulled]:
        return pull(self.platform, [self.account], warehouse=self.home / "w.duckdb", working_folder=self.home / "dlt")

    def pull_all(self) -> list[Pulled]:
        done = self.pull()
        errors = {one.object: one.error for one in done if one.error}
        assert not errors, f"{self.platform.name}/source.py cannot pull from the stand-in: {errors}"
        assert [one.object for one in done] == [obj.name for obj in self.platform.objects]
        return done

    def ask(self, sql: str) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of a query over each object's table."""
        with duckdb.connect(str(self.home / "w.duckdb"), read_only=True) as connection:
            return {
                obj.name: connection.execute(sql.format(table=f"raw_{self.platform.name}.{obj.name}")).fetchall()
                for obj in self.platform.objects
            }


@pytest.fixture
def empty(platform: Platform, sandbox: Sandbox, tmp_path: Path) -> Landed:
    return Landed(platform, account_of(platform, sandbox), tmp_path)


@pytest.fixture(scope="module")
def pulled_once(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Platform], tuple[Landed, list[Pulled]]]:
    """A platform's first pull, made once for all tests that only look at it."""

    @cache
    def made(platform: Platform) -> tuple[Landed, list[Pulled]]:
        landed = Landed(platform, account_of(platform, sandbox), tmp_path_factory.mktemp(platform.name))
        return landed, landed.pull_all()

    return made


@each_platform
def test_the_check_works(platform: Platform, sandbox: Sandbox) -> None:
    error, _ = tried(lambda: platform.check(account_of(platform, sandbox)))
    assert error is None, f"check() of {platform.name}/client.py refuses the stand-in's own credentials: {error}"


@those(lambda platform: any(credential.secret and credential.required for credential in platform.credentials))
def test_the_check_tells_wrong_credentials(platform: Platform, sandbox: Sandbox) -> None:
    account = account_of(platform, sandbox)
    secrets = {credential.name for credential in platform.credentials if credential.secret}
    wrong = replace(account, settings={k: "wrong" if k in secrets else v for k, v in account.settings.items()})
    error, _ = tried(lambda: platform.check(wrong))
    assert type(error) is StopRun, (
        f"make one call in check() of {platform.name}/client.py that wrong credentials do not pass; it raised {error!r}"
    )
    assert f"[sources.{platform.name}.main]" in str(error), "name the section of the configuration to mend"


@with_source
def test_a_pull_lands_every_object_under_unique_keys(platform: Platform, pulled_once: PulledOnce) -> None:
    landed, done = pulled_once(platform)
    assert all(one.rows and one.contacted_at for one in done), f"the stand-in of {platform.name} served nothing: {done}"
    found = landed.ask("select count(*), count(distinct record_id), count(updated_at) from {table}")
    for obj in platform.objects:
        [(rows, keys, times)] = found[obj.name]
        assert rows == keys, f"{obj.name}: `key` {obj.key!r} on the title page is no key, or pages overlap"
        assert times == (rows if obj.updated else 0), (
            f"{obj.name}: `updated` {obj.updated!r} on the title page is not where its time stands"
        )


@with_source
def test_payloads_carry_what_the_object_requires(platform: Platform, pulled_once: PulledOnce) -> None:
    found = pulled_once(platform)[0].ask("select payload from {table}")
    for obj in platform.objects:
        payloads = [json.loads(payload) for (payload,) in found[obj.name]]
        assert payloads, f"the stand-in of {platform.name} holds no {obj.name}"
        for path in obj.required:
            missing = sum(not _has(payload, path) for payload in payloads)
            assert not missing, f"{missing} of {len(payloads)} {obj.name} lack {path!r}, which the title page requires"


def _has(payload: Any, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(payload, dict) or key not in payload:
            return False
        payload = payload[key]
    return True


@with_source
def test_pulls_that_broke_off_are_made_good_by_the_next_which_adds_no_version_again(
    platform: Platform, sandbox: Sandbox, empty: Landed, pulled_once: PulledOnce
) -> None:
    for fault in ("cut", "truncated", "html", "500", "429"):
        sandbox.misbehave(platform.name, fault, seconds=0)
        broken = empty.pull()
        assert sum(one.error is not None for one in broken) == 1, (
            f"{fault}: the object whose page it was fails, the others do not; make calls through http.Session: {broken}"
        )
        assert [one.contacted_at is None for one in broken] == [one.error is not None for one in broken]
    empty.pull_all()
    # A table is the same as one that was pulled without trouble, once its repeated versions are counted once.
    versions = "select distinct account, record_id, payload_hash from {table} order by all"
    assert empty.ask(versions) == pulled_once(platform)[0].ask(versions)


@those(lambda platform: platform.has("source") and any(obj.updated for obj in platform.objects))
def test_a_later_pull_asks_only_for_what_changed(platform: Platform, empty: Landed) -> None:
    first, second = empty.pull_all(), empty.pull_all()
    for obj, one, two in zip(platform.objects, first, second, strict=True):
        if obj.updated:
            assert two.rows < one.rows, (
                f"{obj.name}: source.py ignores `since`, or the stand-in holds nothing old: {two.rows} of {one.rows}"
            )


@with_source
def test_fields_we_do_not_know_survive_into_raw(
    platform: Platform, empty: Landed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_more(content: bytes) -> Any:
        return json.loads(content, object_hook=lambda found: {**found, "new_in_2031": {"kept": [1]}})

    monkeypatch.setattr(http, "_decode", with_more)
    empty.pull_all()
    kept = empty.ask("select distinct payload->>'$.new_in_2031.kept[0]' from {table}")
    assert kept == {obj.name: [("1",)] for obj in platform.objects}, (
        "source.py yields records as the platform sent them"
    )


# --- errors ---------------------------------------------------------------------------------------------------------

HTML = b"<!DOCTYPE html><html><body>We'll be right back</body></html>"
ANSWERS: dict[str, tuple[Answering, type[PlatformError]]] = {
    "401": (Answering(401, b"{}"), StopRun),
    "403": (Answering(403, b"{}"), StopRun),
    "404": (Answering(404, b"{}"), StopRun),
    "410": (Answering(410, b"{}"), StopRun),
    "429": (Answering(429, b"{}", {"Retry-After": "7.0"}), RetryLater),
    "500": (Answering(500, b"{}"), RetryLater),
    "503 as HTML": (Answering(503, HTML, {"Content-Type": "text/html"}), RetryLater),
    "400": (Answering(400, b"{}"), SetAside),
    "422": (Answering(422, b"{}"), SetAside),
    "HTML": (Answering(200, HTML, {"Content-Type": "text/html"}), SetAside),
    "half a JSON": (Answering(200, b'{"data": [{"id"'), SetAside),
    "a JSON list": (Answering(200, b"[]"), SetAside),
    "an empty object": (Answering(200, b"{}"), SetAside),
    "wrong types": (
        Answering(200, b'{"data": [5], "customers": {"id": 1}, "orders": "none", "messages": 7, "items": 5}'),
        SetAside,
    ),
    "a cut connection": (Answering(200, b'{"data": [', cut=True), RetryLater),
    "a redirect to another host": (Answering(302, b"", {"Location": "http://localhost.invalid/"}), SetAside),
}


@pytest.fixture(scope="module")
def bad_server() -> Iterator[tuple[str, Answering]]:
    with answering() as serving:
        yield serving


def misdirected(platform: Platform, sandbox: Sandbox, url: str) -> Account:
    account = account_of(platform, sandbox)
    settings = {key: url if key.endswith("base_url") else value for key, value in account.settings.items()}
    return replace(account, settings={"base_url": url, **settings})


@with_source
@pytest.mark.parametrize("answer", ANSWERS)
def test_bad_answers_to_a_pull_become_the_right_error(
    platform: Platform, sandbox: Sandbox, bad_server: tuple[str, Answering], answer: str
) -> None:
    url, told = bad_server
    bad, expected = ANSWERS[answer]
    told.__dict__.update(bad.__dict__)
    account = misdirected(platform, sandbox, url)
    for obj in platform.objects:
        error, _ = tried(pulling(platform, account, obj))
        assert type(error) is expected, f"{obj.name}: source.py should raise {expected.__name__}, not {error!r}"
        assert f"{platform.name} (main)" in str(error), "make calls through http.Session: its errors name the account"
        if answer == "429":
            assert isinstance(error, RetryLater)
            assert (error.throttled, error.retry_after) == (True, 7.0)


def pulling(platform: Platform, account: Account, obj: Object) -> Callable[[], Any]:
    return lambda: list(platform.source.pages(account, obj, None))


@with_destination
@pytest.mark.parametrize("answer", [name for name in ANSWERS if name != "wrong types"])
def test_bad_answers_to_a_push_become_the_right_error(
    platform: Platform, sandbox: Sandbox, bad_server: tuple[str, Answering], answer: str
) -> None:
    url, told = bad_server
    bad, expected = ANSWERS[answer]
    told.__dict__.update(bad.__dict__)
    destination = platform.destination(misdirected(platform, sandbox, url))
    calls = calls_of(destination)
    assert calls, f"{platform.name}/destination.py overrides no operation: write one, or delete the file"
    for name, call in calls.items():
        error, outcomes = tried(call)
        found = {outcome.status for outcome in outcomes} or type(error)
        if destination.judges_by_status and bad.status < 400 and not bad.cut:
            assert found == {"accepted" if bad.status < 300 else "failed"}, name
        elif outcomes and bad.status in (400, 422):  # where rows go one by one, a refused row answers for itself
            assert found == {"dead"}, name
        else:
            assert found is expected, f"{name} should raise {expected.__name__}, not: {error or outcomes}"


def tried(call: Callable[[], Any]) -> tuple[PlatformError | None, Sequence[Outcome]]:
    try:
        return None, call()
    except PlatformError as error:
        return error, ()


@with_destination
def test_errors_hold_neither_personal_data_nor_secrets(
    platform: Platform, sandbox: Sandbox, bad_server: tuple[str, Answering]
) -> None:
    url, told = bad_server
    account = misdirected(platform, sandbox, url)
    secrets = [account.get(credential.name) for credential in platform.credentials if credential.secret]
    for status in (400, 401, 403, 404, 422, 429, 500):
        told.__dict__.update(Answering(status, echo=True).__dict__)
        for name, call in calls_of(platform.destination(account)).items():
            error, outcomes = tried(call)
            text = f"{error!r} {error} {error and error.failure!r} {outcomes!r}"
            assert error or outcomes, f"{name} takes HTTP {status} for an answer"
            for private in (EMAIL, PHONE, PHONE.lstrip("+"), *filter(None, secrets)):
                assert private not in text, f"{name} repeats what the platform said, and with it a person or a secret"


def calls_of(destination: Destination) -> dict[str, Callable[[], Any]]:
    """One call of each operation the platform offers, on a person with e-mail and phone (sends aside: they report)."""
    kind = destination.target_kinds[0] if destination.target_kinds else "list"
    target, known = Target(kind, "Some audience"), [Row(row_id="r", record_id="1")]
    channels = {"email": Identifier("email", EMAIL), "sms": Identifier("phone", PHONE)}
    calls: dict[str, Callable[[], Any]] = {
        "add": lambda: destination.add(target, known),
        "remove": lambda: destination.remove(target, known),
        "find": lambda: destination.find(list(channels.values())),
        "identify": lambda: destination.identify(["1"]),
        "read_back": lambda: list(destination.read_back(target)),
        "erase": lambda: destination.erase(
            [
                Row(
                    row_id="r",
                    record_id=None if "email" not in destination.channels else "1",
                    identifier=channels["sms"],
                )
            ]
        ),
    }
    offered = {name: call for name, call in calls.items() if destination.offers(name)}
    for channel in destination.channels:
        row = Row(row_id="r", record_id="1", identifier=channels[channel])
        offered[f"suppress {channel}"] = partial(destination.suppress, channel, [row])
    return offered


# --- webhooks -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def acts(sandbox: Sandbox) -> dict[str, list[str]]:
    """What people can do at each stand-in."""
    found: dict[str, list[str]] = sandbox._ask("GET", "")["acts"]
    return found


@pytest.fixture(scope="module")
def caught(sandbox: Sandbox, acts: dict[str, list[str]]) -> Iterator[dict[str, list[WebhookRequest]]]:
    """The requests of every act of every stand-in, each sent twice."""
    told = {platform.name: {"wtl": URL_TOKEN} for platform in PLATFORMS if not platform.signed}
    addresses = {platform.name: platform.path or f"/webhooks/{platform.name}/main" for platform in PLATFORMS}
    with catching(PUBLIC) as (url, requests):
        sandbox.settings(receiver=url)
        for name in addresses:
            for act in acts.get(name, ()):
                sandbox.misbehave(name, "duplicate_webhook")
                somebody_does(sandbox, act, **told.get(name, {}))
        sandbox.behave()
        sandbox.settings(receiver=None)
        yield {name: [r for r in requests if f"{PUBLIC}{address}" in r.url] for name, address in addresses.items()}


def somebody_does(sandbox: Sandbox, act: str, **options: str) -> None:
    """Let the first person who can do it do it."""
    refusals = []
    for person in sandbox.people():
        try:
            sandbox.act(act, person["person"], **options)
        except SandboxError as error:
            refusals.append(str(error))
        else:
            return
    raise AssertionError(f"nobody can do {act!r} at the stand-in: {refusals[:1]}")


@pytest.fixture
def genuine(
    platform: Platform, sandbox: Sandbox, acts: dict[str, list[str]], caught: dict[str, list[WebhookRequest]]
) -> list[WebhookRequest]:
    """The requests of each act of the platform's stand-in: the original, then its repeat."""
    account_of(platform, sandbox)  # says so where there is no stand-in
    for other in acts.keys() - {platform.name}:
        both = set(acts[other]) & set(acts.get(platform.name, ()))
        assert not both, (
            f"the stand-ins of {platform.name} and {other} both have the acts {sorted(both)}, but only one of them "
            "will be asked to act: give the newer one, in sandbox/platforms/, acts with names of their own"
        )
    assert caught[platform.name], f"give the stand-in, in sandbox/platforms/{platform.name}/, acts that send webhooks"
    return caught[platform.name]


@pytest.fixture(autouse=True)
def _tokens(sandbox: Sandbox) -> Iterator[None]:
    """The token in the URL of whoever signs nothing."""
    tokens = [
        UrlToken(hash=url_tokens.hash_of(URL_TOKEN), account=f"{platform.name}:main", tags=("Buyer",))
        for platform in PLATFORMS
        if not platform.signed
    ]
    url_tokens.keep_in(Fixed(tokens))
    yield
    url_tokens.keep_in(Fixed())


@with_webhook
def test_genuine_requests_are_accepted_and_read(
    platform: Platform, sandbox: Sandbox, genuine: list[WebhookRequest]
) -> None:
    account = account_of(platform, sandbox)
    effects = 0
    for request in genuine:
        platform.webhook.verify(request, account)
        delivery = platform.webhook.parse(request, account)
        assert delivery.id, f"parse gives {delivery.topic} no id"
        assert platform.topic(delivery.topic), f"write {delivery.topic!r} among the topics of {platform.name}"
        assert delivery.events, f"parse reads no act out of {delivery.topic}"
        for event in delivery.events:
            assert event.lane in LANES, f"{delivery.topic} travels in {event.lane!r}; the lanes are {LANES}"
            assert event.name.partition(":")[0] in event_names(), (
                f"{delivery.topic} becomes {event.name!r}: take one of the accepted_values in "
                f"{VOCABULARY.relative_to(ROOT)}, or add it there"
            )
            assert event.occurred_at <= request.received_at, f"{delivery.topic} happens after it was told"
            assert event.identifiers, f"{delivery.topic} is about nobody: give its events identifiers"
            effects += event.effect is not None
            assert event.effect is None or event.lane == "speed", f"{delivery.topic} forbids something: it is urgent"
    # What anybody who has a URL can say forbids nothing by itself: audiences leave on it.
    assert bool(effects) is platform.signed, (
        f"no act at {platform.name} has an effect: parse an opt-out into an event with one, and let the stand-in act it"
        if platform.signed
        else f"{platform.name} signs nothing, so its events may have no effect"
    )


@those(lambda platform: platform.has("webhook") and not platform.signed)
def test_requests_without_a_live_token_are_refused(
    platform: Platform, sandbox: Sandbox, genuine: list[WebhookRequest]
) -> None:
    account = account_of(platform, sandbox)
    url_tokens.keep_in(Fixed())
    for request in genuine:
        assert_refused(platform, request, account, "a token that nobody gave out")


@those(lambda platform: platform.has("webhook") and platform.signed)
def test_forged_requests_are_refused(platform: Platform, sandbox: Sandbox, genuine: list[WebhookRequest]) -> None:
    account = account_of(platform, sandbox)
    secrets = {credential.name for credential in platform.credentials if credential.secret}
    other = replace(account, settings={k: v + "x" if k in secrets else v for k, v in account.settings.items()})
    none = replace(account, settings={k: v for k, v in account.settings.items() if k not in secrets})
    for request in genuine:
        # Some platforms send several, of which only the newest counts.
        signatures = [name for name in request.headers if "signature" in name or "hmac" in name]
        assert signatures, f"no header of {sorted(request.headers)} is a signature: should the stand-in sign?"
        unsigned = {name: value for name, value in request.headers.items() if name not in signatures}
        forged = {
            "a changed body": (replace(request, body=request.body[:-1] + b"~"), account),
            "no signature": (replace(request, headers=unsigned), account),
            "an empty signature": (replace(request, headers=unsigned | dict.fromkeys(signatures, "")), account),
            "a foreign alphabet": (replace(request, headers=unsigned | dict.fromkeys(signatures, "ü" * 40)), account),
            "another secret": (request, other),
            "no secret configured": (request, none),
        }
        for what, (forgery, whose) in forged.items():
            assert_refused(platform, forgery, whose, what)


def assert_refused(platform: Platform, request: WebhookRequest, account: Account, what: str) -> None:
    try:
        platform.webhook.verify(request, account)
    except WebhookRejected as refused:
        assert refused.status in (401, 403), f"{what}: a forgery is answered 401 or 403"  # noqa: PT017
    else:
        raise AssertionError(f"{platform.name}/webhook.py: verify accepts {what}")


@with_webhook
def test_a_repeated_delivery_has_one_effect(
    platform: Platform, sandbox: Sandbox, genuine: list[WebhookRequest]
) -> None:
    """A repeat has the ids of the original, and nothing else has them."""
    account = account_of(platform, sandbox)
    deliveries = [platform.webhook.parse(request, account) for request in genuine]
    originals, repeats = deliveries[::2], deliveries[1::2]
    assert [(one.id, [event.id for event in one.events]) for one in originals] == [
        (one.id, [event.id for event in one.events]) for one in repeats
    ], f"{platform.name}/webhook.py: take ids of deliveries and events from what a redelivery keeps"
    assert len({one.id for one in originals}) == len(originals), "two different deliveries share an id"
    ids = [event.id for one in originals for event in one.events]
    assert len(set(ids)) == len(ids), "two different acts share an id"


@with_webhook
def test_odd_bodies_are_refused_or_read_as_silent(
    platform: Platform, sandbox: Sandbox, genuine: list[WebhookRequest]
) -> None:
    account = account_of(platform, sandbox)
    bodies = [b"", b"{", b"[]", b"null", b"5", b"\xff\xfe", b"a=b&a=c", b"&" * 5000, b"%zz=%", b'{"data": 5}', b"{}"]
    bodies += [b'{"data": [5, null, {"topic": {}}, {"topic": 7, "payload": []}]}', HTML]
    for request in [*genuine, replace(genuine[0], headers={})]:
        for body in [*bodies, *_mutated(request.body)]:
            try:
                delivery = platform.webhook.parse(replace(request, body=body), account)
            except WebhookRejected as error:
                assert 400 <= error.status < 500, "an odd body is the sender's fault"  # noqa: PT017
            else:
                assert isinstance(delivery, Delivery)
                assert delivery.id, f"parse gives a delivery without id for {body[:200]!r}"


ODD: tuple[Any, ...] = (None, 5, "x", [], {}, [[1]], True, 1e300)


def _mutated(body: bytes) -> Iterator[bytes]:
    """The body with each value in turn replaced by something of another type."""
    try:
        decoded = json.loads(body)
    except ValueError:
        return
    for odd in ODD:
        for path in _paths(decoded):
            copy = json.loads(body)
            place = copy
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = odd
            yield json.dumps(copy).encode()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if len(path) < 5:
            yield (*path, key)
            yield from _paths(inner, (*path, key))


@those(lambda platform: platform.has("webhook") and not platform.path)  # an address of its own takes one kind of call
def test_an_unknown_topic_is_a_delivery_without_acts(
    platform: Platform, sandbox: Sandbox, genuine: list[WebhookRequest]
) -> None:
    account, request = account_of(platform, sandbox), genuine[0]
    topic = platform.webhook.parse(request, account).topic
    if topic.encode() in request.body:
        request = replace(request, body=request.body.replace(topic.encode(), b"brand/new"))
    elif topic in request.headers.values():
        headers = {name: "brand/new" if value == topic else value for name, value in request.headers.items()}
        request = replace(request, headers=headers)
    else:
        request = replace(request, body=b"CallSid=CA1&Digits=1")
    delivery = platform.webhook.parse(request, account)
    assert delivery.events == (), "what a topic of tomorrow means is not guessed: parse reads no act out of it"
    assert delivery.id, "parse gives a delivery of an unknown topic no id"


# --- webhook subscriptions --------------------------------------------------------------------------------------------

with_subscriptions = those(lambda platform: platform.has("subscriptions"))


@pytest.fixture(scope="module")
def unsubscribed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of its own, since what is registered stays."""
    with running(tmp_path_factory.mktemp("unsubscribed"), people=40, seed=5, unlimited=True) as started:
        yield started


@with_subscriptions
def test_registering_twice_subscribes_each_wanted_topic_once_and_changes_nothing_else(
    platform: Platform, unsubscribed: Sandbox
) -> None:
    account, url = account_of(platform, unsubscribed), f"{PUBLIC}/webhooks/{platform.name}/main"
    wanted, before = platform.subscriptions.wanted(account), platform.subscriptions.listed(account)
    assert wanted, f"{platform.name}/subscriptions.py: say in wanted() which topics are needed"
    assert len(set(wanted)) == len(wanted), f"wanted() names a topic twice: {wanted}"
    first = platform.subscriptions.register(account, url)
    assert {(one.topic, one.address, one.active) for one in first} == {(topic, url, True) for topic in wanted}
    assert list(platform.subscriptions.register(account, url)) == [], "register() makes again what is there"
    listed = list(platform.subscriptions.listed(account))
    assert sorted(one.topic for one in listed if one.reaches(url) and one.active) == sorted(wanted)
    assert [one for one in listed if not one.reaches(url)] == list(before), "register() changed what is not ours"


@with_subscriptions
def test_what_the_platform_then_sends_to_the_registered_address_is_genuine(platform: Platform, tmp_path: Path) -> None:
    with (
        running(tmp_path, people=80, seed=11, unlimited=True) as started,
        catching("") as (url, requests),
    ):
        account, address = account_of(platform, started), f"{url}/webhooks/{platform.name}/main"
        platform.subscriptions.register(account, address)
        for act in started._ask("GET", "")["acts"][platform.name]:
            somebody_does(started, act)
        sent = [replace(request, url=f"{url}{request.url}") for request in requests]
    assert sent, f"nothing that happened at {platform.name} was sent to the registered address"
    for request in sent:
        platform.webhook.verify(request, account)
        assert platform.webhook.parse(request, account).events, f"parse reads no act out of {request.body[:200]!r}"


@with_subscriptions
def test_refused_credentials_of_subscriptions_say_what_to_do(platform: Platform, unsubscribed: Sandbox) -> None:
    account = account_of(platform, unsubscribed)
    secrets = {credential.name for credential in platform.credentials if credential.secret}
    wrong = replace(account, settings={k: "forged-secret" if k in secrets else v for k, v in account.settings.items()})
    error, _ = tried(lambda: platform.subscriptions.listed(wrong))
    assert type(error) is StopRun, f"{platform.name}/subscriptions.py: listed() asks the platform; it raised {error!r}"
    assert f"[sources.{platform.name}.main]" in str(error), "name the section of the configuration to mend"
    assert "forged-secret" not in str(error)


@with_subscriptions
def test_what_the_api_of_subscriptions_cannot_do_is_said(platform: Platform) -> None:
    said = platform.subscriptions.BY_HAND
    assert said == "" or said.endswith("."), f"{platform.name}/subscriptions.py: let BY_HAND be empty or sentences"


@those(lambda platform: not platform.has("subscriptions"))
def test_who_has_no_api_of_subscriptions_says_so(platform: Platform) -> None:
    with pytest.raises(NotOffered, match="subscriptions"):
        platform.subscriptions.listed(Account(platform.name, "main", "acme", "US", (), {}))


# --- the destination ------------------------------------------------------------------------------------------------


class Pushing:
    """A destination at its stand-in, with records to push and what the stand-in says of its members."""

    def __init__(self, platform: Platform, sandbox: Sandbox) -> None:
        self.platform, self.sandbox = platform, sandbox
        self.destination = platform.destination(account_of(platform, sandbox))
        # Acts of the webhook tests change the first people.
        people = [person for person in sandbox.people()[20:] if person["records"].get(platform.name)]
        self.records: list[str] = [
            record
            for person in people
            if person["emails"] and person["phones"]
            for record in person["records"][platform.name][:1]
        ]
        if self.destination.offers("identify"):
            held = self.destination.identify(self.records)
            self.records = [record for record in self.records if len(held[record]) == 2]

    def members(self, target: Target) -> set[str]:
        return self.sandbox.members()[self.platform.name].get(target.name, set())

    def target(self) -> Target:
        kind = self.destination.target_kinds[0]
        held = self.sandbox.members()[self.platform.name]
        assert held or kind != "list", f"the stand-in of {self.platform.name} holds no list: members() tells of none"
        # A list must exist; a tag comes into being with its first bearer.
        name = min(held, key=lambda name: (len(held[name]), name)) if kind == "list" else "aud-contract"
        return Target(kind, name)

    def rows(self, records: Sequence[str], **traits: Any) -> list[Row]:
        return [Row(row_id=f"row-{record}", record_id=record, traits=traits) for record in records]

    def add(self, target: Target, rows: Sequence[Row]) -> list[Outcome]:
        return finished(self.destination, self.destination.add(target, rows), rows)


def finished(destination: Destination, answer: Sequence[Outcome] | Job, rows: Sequence[Row]) -> list[Outcome]:
    """The outcomes of a call, of its job if it began one."""
    for _ in range(200):
        if not isinstance(answer, Job):
            return list(answer)
        outcomes = destination.poll(answer, rows)
        if outcomes is not None:
            return list(outcomes)
        time.sleep(0.02)
    raise AssertionError(f"the job {answer} did not end")


@pytest.fixture
def pushing(platform: Platform, sandbox: Sandbox) -> Pushing:
    return Pushing(platform, sandbox)


@with_members
def test_adding_twice_then_removing_twice_leaves_the_destination_as_before(pushing: Pushing) -> None:
    assert_repeats_change_nothing(pushing, {})


def writes_traits(platform: Platform) -> bool:
    """A tag carries none; a platform's own tests say what happens to them."""
    cls = platform.destination_class()
    return cls is not None and offers("add", "remove")(platform) and cls.target_kinds[0] != "tag"


@those(writes_traits)
def test_adding_with_traits_twice_then_removing_twice_leaves_the_members_as_before(pushing: Pushing) -> None:
    assert_repeats_change_nothing(pushing, {"last_order_at": "2026-11-01"})


def assert_repeats_change_nothing(pushing: Pushing, traits: dict[str, Any]) -> None:
    target = pushing.target()
    before = pushing.members(target)
    new = [record for record in pushing.records if record not in before][:3]
    assert new, f"the stand-in of {pushing.platform.name} knows nobody to add who has an e-mail address and a phone"
    rows = pushing.rows(new, **traits)
    accepted = {(row.row_id, "accepted") for row in rows}
    for _ in range(2):
        outcomes = pushing.add(target, rows)
        assert {(one.row_id, one.status) for one in outcomes} == accepted, f"add() answers for each row: {outcomes}"
        assert pushing.members(target) == before | set(new), "after add() they are members, and nobody else is"
    for _ in range(2):
        outcomes = list(pushing.destination.remove(target, pushing.rows(new)))
        assert {(one.row_id, one.status) for one in outcomes} == accepted, f"remove() answers for each row: {outcomes}"
        assert pushing.members(target) == before, "after remove() they are no members, and everybody else still is"


@with_members
def test_reading_back_yields_exactly_the_members(pushing: Pushing) -> None:
    target = pushing.target()
    pushing.add(target, pushing.rows(pushing.records[:5]))
    members = sorted(pushing.members(target))
    assert len(members) >= 5
    assert sorted(pushing.destination.read_back(target)) == members, "read_back() yields each member's record id once"
    pushing.destination.remove(target, pushing.rows(pushing.records[:5]))


@with_members
def test_other_targets_keep_their_members(pushing: Pushing) -> None:
    target = pushing.target()
    others = {
        name: ids for name, ids in pushing.sandbox.members()[pushing.platform.name].items() if name != target.name
    }
    assert any(others.values()), f"the stand-in of {pushing.platform.name} has members in no other {target.kind}"
    pushing.add(target, pushing.rows(pushing.records[:2]))
    pushing.destination.remove(target, pushing.rows(pushing.records[:2]))
    held = pushing.sandbox.members()[pushing.platform.name]
    assert {name: ids for name, ids in held.items() if name != target.name} == others, "a call touched other targets"


@with_members
def test_a_row_the_platform_refuses_does_not_cost_the_others_their_outcome(pushing: Pushing) -> None:
    target = pushing.target()
    good, bad = pushing.records[:2]
    pushing.sandbox.misbehave(pushing.platform.name, "partial", records=[bad])
    try:
        rows = pushing.rows([good, bad], note="x") if target.kind == "list" else pushing.rows([good, bad])
        outcomes = {one.row_id: one for one in pushing.add(target, rows)}
    finally:
        pushing.sandbox.behave()
    assert {row_id: one.status for row_id, one in outcomes.items()} == {
        f"row-{good}": "accepted",
        f"row-{bad}": "dead",
    }, "add() reads from the answer which row was at fault"
    assert outcomes[f"row-{bad}"].code, "a dead row says why"
    pushing.destination.remove(target, pushing.rows([good]))


@with_destination
def test_channels_are_declared_where_withdrawals_are_taken(platform: Platform) -> None:
    cls = platform.destination_class()
    assert cls is not None
    assert cls.offers("suppress") is bool(cls.channels), (
        f"{platform.name}/destination.py: `channels` names those whose withdrawal suppress() writes; declare both"
    )


@those(offers("suppress"))
def test_withdrawals_are_taken_twice_alike_for_every_channel(platform: Platform, pushing: Pushing) -> None:
    person = next(
        person
        for person in pushing.sandbox.people()
        if person["emails"]
        and person["phones"]
        and (not pushing.records or pushing.records[0] in person["records"].get(platform.name, ()))
    )
    identifiers = {"email": Identifier("email", person["emails"][0]), "sms": Identifier("phone", person["phones"][0])}
    for channel in pushing.destination.channels:
        record = pushing.records[0] if pushing.records else None
        rows = [
            Row(row_id="with both", record_id=record, identifier=identifiers[channel]),
            Row(row_id="identifier only", record_id=None, identifier=identifiers[channel]),
        ]
        first = list(pushing.destination.suppress(channel, rows))
        assert {(one.row_id, one.status) for one in first} == {(row.row_id, "accepted") for row in rows}, (
            f"suppress({channel!r}) answers for each row, whether it names a record or an address alone: {first}"
        )
        assert list(pushing.destination.suppress(channel, rows)) == first, "a withdrawal written again is no failure"


@those(offers("find", "identify"))
def test_what_identify_tells_is_what_find_finds(pushing: Pushing) -> None:
    destination, some = pushing.destination, pushing.records[:3]
    assert some, f"the stand-in of {pushing.platform.name} knows nobody who has an e-mail address and a phone"
    held = destination.identify([*some, "0"])
    assert not held["0"], "a record that is gone holds nothing"
    for record in some:
        assert {identifier.kind for identifier in held[record]} == {"email", "phone"}, "identify() tells both"
    asked = [identifier for record in some for identifier in held[record]]
    stranger = Identifier("email", "nobody@nowhere.example")
    found = destination.find([*asked, stranger])
    assert not found[stranger], "whom nobody knows is found nowhere"
    for record in some:
        for identifier in held[record]:
            assert record in found[identifier], f"find() misses a record by its {identifier.kind}"


@with_destination
def test_an_operation_that_is_not_offered_says_so(platform: Platform, pushing: Pushing) -> None:
    for operation in ("add", "poll", "remove", "suppress", "find", "identify", "read_back", "erase", "send"):
        if not pushing.destination.offers(operation):
            arguments: dict[str, int] = {"add": 2, "poll": 2, "remove": 2, "suppress": 2, "send": 2}
            with pytest.raises(NotOffered, match=platform.name):
                getattr(pushing.destination, operation)(*[None] * arguments.get(operation, 1))
    with pytest.raises(NotOffered):
        pushing.destination.suppress("carrier pigeon", [])


GRANTS = re.compile(
    r"(?<!un)subscribed\b|subscription-bulk-create|suppression-bulk-delete|\bopt[-_ ]?in\b|resubscribe|\bunsuppress"
    r"|granted\b|status.{0,20}\bsubscribed|customerset\b|customerupdate\b",
    re.IGNORECASE,
)


#: Everything else in a package may be a part of its destination.
ROOMS_THAT_WRITE_NO_CONTACT = {"__init__", "tables", "source", "webhook", "subscriptions", "words"}


@with_destination
def test_no_destination_holds_a_write_that_grants_consent(platform: Platform) -> None:
    """Write-back never creates consent: not even the words for it occur in code that writes."""
    files = {path.stem: path for path in (PACKAGES / platform.name).glob("*.py")}
    for module in sorted(files.keys() - ROOMS_THAT_WRITE_NO_CONTACT):
        tree = ast.parse(files[module].read_text())
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            words = node.value if isinstance(node, ast.Constant) else getattr(node, "id", getattr(node, "attr", None))
            if isinstance(words, str) and id(node) not in documentation:
                assert not GRANTS.search(words), (
                    f"{platform.name}/{module}.py can write {words!r}: withdrawals are written, grants never are"
                )


@with_destination
def test_every_write_that_the_rules_forbid_is_offered_by_no_destination_and_looked_for(platform: Platform) -> None:
    with (ROOT / "dbt_project" / "seeds" / "forbidden_writes.csv").open(newline="") as file:
        forbidden = [row["operation"] for row in csv.DictReader(file) if row["platform"] == platform.name]
    kind = platform.destination_class()
    assert kind is not None
    assert [operation for operation in forbidden if hasattr(kind, operation)] == []
    files = [path for path in (PACKAGES / platform.name).glob("*.py") if path.stem not in ROOMS_THAT_WRITE_NO_CONTACT]
    written = " ".join(path.read_text() for path in files)
    unseen = [
        operation.partition("=")[0] for operation in forbidden if "=" in operation and not GRANTS.search(operation)
    ]
    assert [field for field in unseen if field in written] == []


def test_every_stand_in_has_a_platform_and_the_other_way_round(sandbox: Sandbox) -> None:
    assert set(sandbox.urls) == {platform.name for platform in PLATFORMS}, (
        "sandbox/platforms/ and dlt_sources/platforms/ hold folders of the same names"
    )
