"""What every platform must keep, run over all packages in `dlt_sources/platforms/` and their stand-ins.

A new platform is tested by this file before it has tests of its own; messages say what to write where something lacks.
"""

from __future__ import annotations

import ast
import csv
import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
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

ROOT = Path(__file__).parents[1]
PLATFORMS = registry.all_platforms()
EVENT_NAMES = {row["event_name"] for row in csv.DictReader((ROOT / "dbt_project/seeds/event_names.csv").open())} | {
    *("order_placed", "order_paid", "order_cancelled", "order_refunded", "message_received", "message_sent"),
    *("email_unsubscribed", "email_subscribed", "sms_unsubscribed", "sms_subscribed", "email_bounced"),
    *("email_marked_spam", "webinar_registered", "profile_updated", "customer_created", "customer_updated"),
    *("customer_deleted", "customer_redacted", "tag", "other"),
}
#: What every platform that signs nothing finds in its URL.
URL_TOKEN = "c0ntractT0ken1"
PulledOnce = Callable[[Platform], "tuple[Landed, list[Pulled]]"]
PUBLIC = "https://hooks.example.test"
EMAIL, PHONE = "jane.doe@example.com", "+14155550123"

each_platform = pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
with_source = pytest.mark.parametrize(
    "platform", [p for p in PLATFORMS if p.has("source")], ids=lambda platform: platform.name
)
with_webhook = pytest.mark.parametrize(
    "platform", [p for p in PLATFORMS if p.has("webhook")], ids=lambda platform: platform.name
)
with_destination = pytest.mark.parametrize(
    "platform", [p for p in PLATFORMS if p.has("destination")], ids=lambda platform: platform.name
)


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
    spec = importlib.util.find_spec(platform.package)
    assert spec is not None
    assert spec.origin is not None
    page = Path(spec.origin)
    assert len(page.read_text().splitlines()) <= 60, "move tables out of the title page"
    assert page.parent.name == platform.name, "a platform bears the name of its folder"
    assert (page.parent / "README.md").exists(), f"write {page.parent.name}/README.md: objects, credentials, webhooks"
    assert platform.documentation.startswith("https://")
    assert platform.has("client"), "write client.py: every platform has an address and a check"


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
    for other in PLATFORMS:
        if other is not platform:
            assert other.documentation != platform.documentation, f"{platform.name} shows the documentation of {other}"
            both = {limit.source for limit in platform.limits} & {limit.source for limit in other.limits}
            assert not both, f"{platform.name} has the limits of {other.name}: {both}"
            shared = [value for value in _addresses(platform) if value in _addresses(other)]
            assert not shared, (
                f"dlt_sources/platforms/{platform.name}/client.py has the address of {other.name}: {shared}"
            )


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
        assert topic.lane in LANES
        assert topic.event in EVENT_NAMES, f"{topic.topic} means {topic.event!r}, which is no standard event"
    for limit in platform.limits:
        assert limit.source.startswith("https://"), f"say where the limit {limit.bucket} is published"
        assert limit.calls > 0
        assert limit.seconds > 0
        assert limit.burst > 0
    known = {credential.name for credential in platform.credentials}
    for credential in platform.credentials:
        assert set(credential.unless) <= known, f"{credential.name} names keys that are not declared"


@each_platform
def test_modules_say_what_they_are_for_and_do_not_import_one_another(platform: Platform) -> None:
    spec = importlib.util.find_spec(platform.package)
    assert spec is not None
    assert spec.origin is not None
    others = [other.name for other in PLATFORMS if other is not platform]
    for file in Path(spec.origin).parent.glob("*.py"):
        text = file.read_text()
        assert text.startswith('"""'), f"{file.name} needs a docstring that says what it is for"
        for other in others:
            assert f"platforms.{other}" not in text, f"{file.name} imports {other}: platforms stand alone"


@each_platform
def test_webhook_and_destination_load_without_dlt(platform: Platform) -> None:
    """The receiver and the speed lane start at once because they never import dlt."""
    names = [f"{platform.package}.{name}" for name in ("webhook", "destination", "client") if platform.has(name)]
    load = f"import sys, importlib as i; [i.import_module(n) for n in {names}]"
    code = f"{load}; print({{'dlt', 'pyarrow'}} & {{*sys.modules}})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert said.stdout.strip() == "set()", f"{platform.name} imports {said.stdout.strip()} outside source.py"


@each_platform
def test_missing_settings_are_named_together(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt/config.toml").write_text(f'[sources.{platform.name}.main]\nbrand = "acme"\n')
    needed = [credential.name for credential in platform.credentials if credential.required]
    if not needed:
        assert accounts.load([platform], tmp_path)
        return
    with pytest.raises(ConfigurationError) as raised:
        accounts.load([platform], tmp_path)
    for name in needed:
        assert name in str(raised.value)


# --- the source -----------------------------------------------------------------------------------------------------


@dataclass
class Landed:
    """A warehouse that one platform was pulled into."""

    platform: Platform
    account: Account
    home: Path

    def pull(self) -> list[Pulled]:
        return pull(self.platform, [self.account], warehouse=self.home / "w.duckdb", working_folder=self.home / "dlt")

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
        return landed, landed.pull()

    return made


@each_platform
def test_the_check_works_and_tells_wrong_credentials(platform: Platform, sandbox: Sandbox) -> None:
    account = account_of(platform, sandbox)
    platform.check(account)
    if not any(credential.secret and credential.required for credential in platform.credentials):
        return  # an account that can do without a secret has none to prove
    secrets = {credential.name for credential in platform.credentials if credential.secret}
    wrong = replace(account, settings={k: "wrong" if k in secrets else v for k, v in account.settings.items()})
    with pytest.raises(StopRun) as raised:
        platform.check(wrong)
    assert f"[sources.{platform.name}.main]" in str(raised.value)


@with_source
def test_a_pull_lands_every_object_under_unique_keys(platform: Platform, pulled_once: PulledOnce) -> None:
    landed, done = pulled_once(platform)
    assert [one.error for one in done] == [None] * len(platform.objects)
    assert all(one.rows and one.contacted_at for one in done), f"the stand-in of {platform.name} served nothing: {done}"
    found = landed.ask("select count(*), count(distinct record_id), count(updated_at) from {table}")
    for obj in platform.objects:
        [(rows, keys, times)] = found[obj.name]
        assert rows == keys, f"{obj.name}: {obj.key!r} is no key, or pages overlap"
        assert times == (rows if obj.updated else 0), f"{obj.name}: {obj.updated!r} is not where its time stands"


@with_source
def test_payloads_carry_what_the_object_requires(platform: Platform, pulled_once: PulledOnce) -> None:
    found = pulled_once(platform)[0].ask("select payload from {table}")
    for obj in platform.objects:
        payloads = [json.loads(payload) for (payload,) in found[obj.name]]
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
            f"{fault}: one object fails, the others do not: {broken}"
        )
        assert all((one.contacted_at is None) == (one.error is not None) for one in broken)
    assert all(one.error is None for one in empty.pull())
    # A table is the same as one that was pulled without trouble, once its repeated versions are counted once.
    versions = "select distinct account, record_id, payload_hash from {table} order by all"
    assert empty.ask(versions) == pulled_once(platform)[0].ask(versions)


@with_source
def test_a_later_pull_asks_only_for_what_changed(platform: Platform, sandbox: Sandbox, empty: Landed) -> None:
    first, second = empty.pull(), empty.pull()
    for obj, one, two in zip(platform.objects, first, second, strict=True):
        assert obj.updated is None or one.rows <= 2 or two.rows < one.rows, f"{obj.name} ignores `since`: {two}"


@with_source
def test_fields_we_do_not_know_survive_into_raw(
    platform: Platform, empty: Landed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_more(content: bytes) -> Any:
        return json.loads(content, object_hook=lambda found: {**found, "new_in_2031": {"kept": [1]}})

    monkeypatch.setattr(http, "_decode", with_more)
    empty.pull()
    lost = empty.ask("select count(*) from {table} where payload->>'$.new_in_2031.kept[0]' is distinct from '1'")
    assert lost == {obj.name: [(0,)] for obj in platform.objects}


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
        with pytest.raises(PlatformError) as raised:
            list(platform.source.pages(account, obj, None))
        assert type(raised.value) is expected, f"{obj.name}: {raised.value}"
        assert f"{platform.name} (main)" in str(raised.value), "an error names platform and account"
        if isinstance(raised.value, RetryLater) and answer == "429":
            assert raised.value.throttled
            assert raised.value.retry_after == 7.0


@with_destination
@pytest.mark.parametrize("answer", [name for name in ANSWERS if name != "wrong types"])
def test_bad_answers_to_a_push_become_the_right_error(
    platform: Platform, sandbox: Sandbox, bad_server: tuple[str, Answering], answer: str
) -> None:
    url, told = bad_server
    bad, expected = ANSWERS[answer]
    told.__dict__.update(bad.__dict__)
    destination = platform.destination(misdirected(platform, sandbox, url))
    for name, call in calls_of(destination).items():
        error, outcomes = tried(call)
        if destination.judges_by_status and bad.status < 400:
            assert {outcome.status for outcome in outcomes} <= {"accepted" if bad.status < 300 else "failed"}, name
        elif outcomes and bad.status in (400, 422):  # where rows go one by one, a refused row answers for itself
            assert {outcome.status for outcome in outcomes} == {"dead"}, name
        else:
            assert type(error) is expected, f"{name}: {error or outcomes}"


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
    secrets = [
        account.get(credential.name)
        for credential in platform.credentials
        if credential.secret and account.get(credential.name)
    ]
    for status in (400, 401, 403, 404, 422, 429, 500):
        told.__dict__.update(Answering(status, echo=True).__dict__)
        for name, call in calls_of(platform.destination(account)).items():
            error, outcomes = tried(call)
            text = f"{error!r} {error} {error and error.failure!r} {outcomes!r}"
            assert error or outcomes
            for private in (EMAIL, PHONE, PHONE.lstrip("+"), *secrets):
                assert private not in text, f"{name}, {status}: {text}"


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
        offered[f"suppress {channel}"] = lambda channel=channel, row=row: destination.suppress(channel, [row])
    return offered


# --- webhooks -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def caught(sandbox: Sandbox) -> Iterator[dict[str, list[WebhookRequest]]]:
    """The requests of every act of every stand-in, each sent twice."""
    acts: dict[str, list[str]] = sandbox._ask("GET", "")["acts"]
    told = {platform.name: {"wtl": URL_TOKEN} for platform in PLATFORMS if not platform.signed}
    addresses = {platform.name: platform.path or f"/webhooks/{platform.name}/main" for platform in PLATFORMS}
    people = sandbox.people()
    with catching(PUBLIC) as (url, requests):
        sandbox.settings(receiver=url)
        for platform, names in acts.items():
            for act in names:
                sandbox.misbehave(platform, "duplicate_webhook")
                for person in people:
                    try:
                        sandbox.act(act, person["person"], **told.get(platform, {}))
                    except SandboxError:
                        continue
                    break
        sandbox.behave()
        sandbox.settings(receiver=None)
        yield {name: [r for r in requests if f"{PUBLIC}{addresses[name]}" in r.url] for name in acts}


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
    platform: Platform, sandbox: Sandbox, caught: dict[str, list[WebhookRequest]]
) -> None:
    account, requests = account_of(platform, sandbox), caught[platform.name]
    assert requests, f"the stand-in of {platform.name} sends no webhooks: give it acts"
    effects = 0
    for request in requests:
        platform.webhook.verify(request, account)
        delivery = platform.webhook.parse(request, account)
        assert delivery.id
        assert platform.topic(delivery.topic), f"{delivery.topic} is not declared among the topics of {platform.name}"
        assert delivery.events
        for event in delivery.events:
            assert event.lane in LANES
            assert event.name.partition(":")[0] in EVENT_NAMES
            assert event.occurred_at <= request.received_at
            assert event.identifiers, f"{delivery.topic} is about nobody"
            effects += event.effect is not None
            assert event.effect is None or event.lane == "speed", f"{delivery.topic} forbids something: it is urgent"
    # What anybody who has a URL can say forbids nothing by itself: audiences leave on it.
    assert bool(effects) is platform.signed, f"no act at {platform.name} had an effect; an opt-out must have one"


@with_webhook
def test_forged_requests_are_refused(
    platform: Platform, sandbox: Sandbox, caught: dict[str, list[WebhookRequest]]
) -> None:
    account = account_of(platform, sandbox)
    if not platform.signed:
        url_tokens.keep_in(Fixed())
        for request in caught[platform.name]:
            with pytest.raises(WebhookRejected) as refused:
                platform.webhook.verify(request, account)
            assert refused.value.status in (401, 403)
        return
    secrets = {credential.name for credential in platform.credentials if credential.secret}
    other = replace(account, settings={k: v + "x" if k in secrets else v for k, v in account.settings.items()})
    none = replace(account, settings={k: v for k, v in account.settings.items() if k not in secrets})
    for request in caught[platform.name]:
        # Some platforms send several, of which only the newest counts.
        signatures = [name for name in request.headers if "signature" in name or "hmac" in name]
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
            with pytest.raises(WebhookRejected) as raised:
                platform.webhook.verify(forgery, whose)
            assert raised.value.status in (401, 403), f"{what}: {raised.value.status}"


@with_webhook
def test_a_repeated_delivery_has_one_effect(
    platform: Platform, sandbox: Sandbox, caught: dict[str, list[WebhookRequest]]
) -> None:
    """A repeat has the ids of the original, and nothing else has them."""
    account = account_of(platform, sandbox)
    deliveries = [platform.webhook.parse(request, account) for request in caught[platform.name]]
    originals, repeats = deliveries[::2], deliveries[1::2]
    assert [(one.id, [event.id for event in one.events]) for one in originals] == [
        (one.id, [event.id for event in one.events]) for one in repeats
    ]
    assert len({one.id for one in originals}) == len(originals), "two different deliveries share an id"
    ids = [event.id for one in originals for event in one.events]
    assert len(set(ids)) == len(ids), "two different acts share an id"


@with_webhook
def test_odd_bodies_are_refused_or_read_as_silent(
    platform: Platform, sandbox: Sandbox, caught: dict[str, list[WebhookRequest]]
) -> None:
    account, genuine = account_of(platform, sandbox), caught[platform.name]
    bodies = [b"", b"{", b"[]", b"null", b"5", b"\xff\xfe", b"a=b&a=c", b"&" * 5000, b"%zz=%", b'{"data": 5}', b"{}"]
    bodies += [b'{"data": [5, null, {"topic": {}}, {"topic": 7, "payload": []}]}', HTML]
    for request in [*genuine, replace(genuine[0], headers={})]:
        for body in [*bodies, *_mutated(request.body)]:
            try:
                delivery = platform.webhook.parse(replace(request, body=body), account)
            except WebhookRejected as error:
                assert 400 <= error.status < 500  # noqa: PT017
            else:
                assert isinstance(delivery, Delivery)
                assert delivery.id


def _mutated(body: bytes) -> Iterator[bytes]:
    """The body with each value in turn replaced by something of another type."""
    try:
        decoded = json.loads(body)
    except ValueError:
        return
    for odd in (None, 5, "x", [], {}, [[1]], True, 1e300):
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


@with_webhook
def test_an_unknown_topic_is_a_delivery_without_acts(
    platform: Platform, sandbox: Sandbox, caught: dict[str, list[WebhookRequest]]
) -> None:
    if platform.path:
        return  # an address of its own takes one kind of call
    account, request = account_of(platform, sandbox), caught[platform.name][0]
    topic = platform.webhook.parse(request, account).topic
    if topic.encode() in request.body:
        request = replace(request, body=request.body.replace(topic.encode(), b"brand/new"))
    elif topic in request.headers.values():
        headers = {name: "brand/new" if value == topic else value for name, value in request.headers.items()}
        request = replace(request, headers=headers)
    else:
        request = replace(request, body=b"CallSid=CA1&Digits=1")
    delivery = platform.webhook.parse(request, account)
    assert delivery.events == ()
    assert delivery.id


# --- webhook subscriptions --------------------------------------------------------------------------------------------

with_subscriptions = pytest.mark.parametrize(
    "platform", [p for p in PLATFORMS if p.has("subscriptions")], ids=lambda platform: platform.name
)


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
    assert wanted
    assert len(set(wanted)) == len(wanted)
    first = platform.subscriptions.register(account, url)
    assert {(one.topic, one.address, one.active) for one in first} == {(topic, url, True) for topic in wanted}
    assert list(platform.subscriptions.register(account, url)) == []
    listed = list(platform.subscriptions.listed(account))
    assert sorted(one.topic for one in listed if one.reaches(url) and one.active) == sorted(wanted)
    assert [one for one in listed if not one.reaches(url)] == list(before)


@with_subscriptions
def test_what_the_platform_then_sends_to_the_registered_address_is_genuine(platform: Platform, tmp_path: Path) -> None:
    with (
        running(tmp_path, people=40, seed=5, unlimited=True) as started,
        catching("") as (url, requests),
    ):
        account, address = account_of(platform, started), f"{url}/webhooks/{platform.name}/main"
        platform.subscriptions.register(account, address)
        for act in started._ask("GET", "")["acts"][platform.name]:
            for person in started.people():
                try:
                    started.act(act, person["person"])
                except SandboxError:
                    continue
                break
        sent = [replace(request, url=f"{url}{request.url}") for request in requests]
    assert sent, f"nothing that happened at {platform.name} was sent to the registered address"
    for request in sent:
        platform.webhook.verify(request, account)
        assert platform.webhook.parse(request, account).events


@with_subscriptions
def test_refused_credentials_of_subscriptions_say_what_to_do(platform: Platform, unsubscribed: Sandbox) -> None:
    account = account_of(platform, unsubscribed)
    secrets = {credential.name for credential in platform.credentials if credential.secret}
    wrong = replace(account, settings={k: "forged-secret" if k in secrets else v for k, v in account.settings.items()})
    with pytest.raises(StopRun) as raised:
        platform.subscriptions.listed(wrong)
    assert f"[sources.{platform.name}.main]" in str(raised.value)
    assert "forged-secret" not in str(raised.value)


@each_platform
def test_what_the_api_of_subscriptions_cannot_do_is_said(platform: Platform) -> None:
    if platform.has("subscriptions"):
        assert platform.subscriptions.BY_HAND.endswith("."), "say what is left to do by hand, in sentences"
        return
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


#: What can be added and taken out again; where nobody can be taken out, only `purpose: suppression` adds.
with_members = pytest.mark.parametrize(
    "platform",
    [p for p in PLATFORMS if (cls := p.destination_class()) and cls.offers("add") and cls.offers("remove")],
    ids=lambda platform: platform.name,
)


@with_members
@pytest.mark.parametrize("with_traits", [False, True], ids=["plain", "with traits"])
def test_adding_twice_then_removing_twice_leaves_the_destination_as_before(pushing: Pushing, with_traits: bool) -> None:
    target = pushing.target()
    if with_traits and target.kind == "tag":
        return  # a tag carries none; the platform's own tests say what happens
    before = pushing.members(target)
    new = [record for record in pushing.records if record not in before][:3]
    rows = pushing.rows(new, **({"last_order_at": "2026-11-01"} if with_traits else {}))
    for _ in range(2):
        outcomes = pushing.add(target, rows)
        assert {(one.row_id, one.status) for one in outcomes} == {(row.row_id, "accepted") for row in rows}
        assert pushing.members(target) == before | set(new)
    for _ in range(2):
        outcomes = list(pushing.destination.remove(target, pushing.rows(new)))
        assert {(one.row_id, one.status) for one in outcomes} == {(row.row_id, "accepted") for row in rows}
        assert pushing.members(target) == before


@with_members
def test_reading_back_yields_exactly_the_members(pushing: Pushing) -> None:
    target = pushing.target()
    pushing.add(target, pushing.rows(pushing.records[:5]))
    assert sorted(pushing.destination.read_back(target)) == sorted(pushing.members(target))
    pushing.destination.remove(target, pushing.rows(pushing.records[:5]))


@with_members
def test_other_targets_keep_their_members(pushing: Pushing) -> None:
    target = pushing.target()
    others = {
        name: ids for name, ids in pushing.sandbox.members()[pushing.platform.name].items() if name != target.name
    }
    pushing.add(target, pushing.rows(pushing.records[:2]))
    pushing.destination.remove(target, pushing.rows(pushing.records[:2]))
    held = pushing.sandbox.members()[pushing.platform.name]
    assert {name: ids for name, ids in held.items() if name != target.name} == others


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
    assert {row_id: one.status for row_id, one in outcomes.items()} == {f"row-{good}": "accepted", f"row-{bad}": "dead"}
    assert outcomes[f"row-{bad}"].code, "a dead row says why"
    pushing.destination.remove(target, pushing.rows([good]))


@with_destination
def test_withdrawals_are_taken_twice_alike_for_every_channel(platform: Platform, pushing: Pushing) -> None:
    assert not (pushing.destination.offers("suppress") ^ bool(pushing.destination.channels)), "declare `channels`"
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
        assert {(one.row_id, one.status) for one in first} == {(row.row_id, "accepted") for row in rows}
        assert list(pushing.destination.suppress(channel, rows)) == first


@with_destination
def test_what_identify_tells_is_what_find_finds(platform: Platform, pushing: Pushing) -> None:
    destination = pushing.destination
    if not (destination.offers("find") and destination.offers("identify")):
        return
    some = pushing.records[:3]
    held = destination.identify([*some, "0"])
    assert held["0"] == [] or not held["0"], "a record that is gone holds nothing"
    for record in some:
        assert {identifier.kind for identifier in held[record]} == {"email", "phone"}
    asked = [identifier for record in some for identifier in held[record]]
    stranger = Identifier("email", "nobody@nowhere.example")
    found = destination.find([*asked, stranger])
    assert not found[stranger]
    for record in some:
        for identifier in held[record]:
            assert record in found[identifier]


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
    spec = importlib.util.find_spec(platform.package)
    assert spec is not None
    assert spec.origin is not None
    files = {path.stem: path for path in Path(spec.origin).parent.glob("*.py")}
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
                assert not GRANTS.search(words), f"{platform.name}/{module}.py can write {words!r}"


def test_every_stand_in_has_a_platform_and_the_other_way_round(sandbox: Sandbox) -> None:
    assert set(sandbox.urls) == {platform.name for platform in PLATFORMS}
