"""The tables of the two state stores; their schema comes from the migrations.

Identifiers are keyed hashes, except what a call still to be made needs itself (`outbox.identifier`). Timestamps are
UTC; SQLite keeps them as ISO text.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.engine import Dialect


class Utc(TypeDecorator[datetime]):
    """A UTC timestamp that comes back with its zone from every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a timestamp without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give UTC back; SQLite drops the zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


ledger_metadata = MetaData()

#: One row per reason not to contact. `landing_id` is the webhook it came from; `absorbed_build` the first build whose
#: decisions know that webhook (null = none yet). Scope "*" covers everything; `audience` is set by leave_on alone.
#: `unresolved` rows name only a record id whose e-mail and phone are not known yet. `actor` and `reason` are set where
#: somebody blocked by hand.
ledger = Table(
    "ledger",
    ledger_metadata,
    Column("ledger_id", String(64), primary_key=True),
    Column("landing_id", String(64), nullable=False, index=True),
    Column("platform", String(40), nullable=False),
    Column("account", String(80), nullable=False),
    Column("brand", String(80), nullable=False),
    Column("event_name", String(80), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("topic", String(80), nullable=False, default="*"),
    Column("audience", String(80), nullable=False, default="*"),
    Column("occurred_at", Utc, nullable=False),
    Column("recorded_at", Utc, nullable=False),
    Column("unresolved", Boolean, nullable=False, default=False, index=True),
    Column("absorbed_build", Integer, index=True),
    Column("actor", String(120), nullable=False, default="", server_default=text("''")),
    Column("reason", Text, nullable=False, default="", server_default=text("''")),
)
ledger_keys = Table(
    "ledger_keys",
    ledger_metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("ledger_id", String(64), ForeignKey("ledger.ledger_id"), primary_key=True),
)
#: Lifts of blocks set by hand, by keyed hash of the identifier: only for showing, the build decides what they end.
lifts = Table(
    "lifts",
    ledger_metadata,
    Column("lift_id", String(80), primary_key=True),
    Column("landing_id", String(64), nullable=False),
    Column("key_hash", String(64), nullable=False, index=True),
    Column("channel", String(20), nullable=False),
    Column("topic", String(80), nullable=False),
    Column("actor", String(120), nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifted_at", Utc, nullable=False),
)
#: What people decided about something that was held: a row per verdict, none of which is ever changed. `reviewed_id`
#: names the held fact, `key_hash` its identifier (empty where it names none). verdict: stop | no_stop.
reviews = Table(
    "reviews",
    ledger_metadata,
    Column("review_id", String(64), primary_key=True),
    Column("reviewed_id", String(200), nullable=False, index=True),
    Column("verdict", String(20), nullable=False),
    Column("key_hash", String(64), nullable=False, index=True),
    Column("actor", String(120), nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_at", Utc, nullable=False),
)
#: Two records that people say are one person's, or are not: a row per act; the last one about two records counts.
#: verdict: merge | unmerge; of two that their keys join, an unmerge takes the right one out.
links = Table(
    "links",
    ledger_metadata,
    Column("link_id", String(64), primary_key=True),
    Column("verdict", String(20), nullable=False),
    Column("left_platform", String(40), nullable=False),
    Column("left_account", String(80), nullable=False),
    Column("left_record_id", String(200), nullable=False),
    Column("right_platform", String(40), nullable=False),
    Column("right_account", String(80), nullable=False),
    Column("right_record_id", String(200), nullable=False),
    Column("actor", String(120), nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_at", Utc, nullable=False),
)
#: Builds of the warehouse; `build_id` grows by one. `decided` is set once decisions of that build are published.
builds = Table(
    "builds",
    ledger_metadata,
    Column("build_id", Integer, primary_key=True, autoincrement=True),
    Column("as_of", Utc, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("decided_at", Utc),
)

#: One row: a hash under the key that this ledger is written with, so that another key is noticed wherever it lies, and
#: the deliveries store that it belongs with. `lost_at`: this ledger was made in place of one that is gone.
installation = Table(
    "installation",
    ledger_metadata,
    Column("key_check", String(64), primary_key=True),
    Column("deliveries_id", String(64), nullable=False, default="", server_default=text("''")),
    Column("lost_at", Utc),
)

deliveries_metadata = MetaData()

#: What each destination has accepted. A membership belongs to a destination record, never to a person alone.
#: status: pending (committed before a call that may have reached the destination; its end is not known) | accepted |
#: removed. Whoever looks for members to remove takes the first two.
memberships = Table(
    "memberships",
    deliveries_metadata,
    Column("membership_id", String(64), primary_key=True),
    Column("audience", String(80), nullable=False),
    Column("platform", String(40), nullable=False),
    Column("account", String(80), nullable=False),
    Column("target", String(200), nullable=False),
    Column("record_id", String(200), nullable=False),
    Column("person_id", String(80), nullable=False),
    Column("brand", String(80), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("topic", String(80), nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", String(120), nullable=False, default=""),
    Column("build_id", Integer, nullable=False),
    Column("changed_at", Utc, nullable=False),
    sqlite_with_rowid=False,
)
membership_keys = Table(
    "membership_keys",
    deliveries_metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("membership_id", String(64), ForeignKey("memberships.membership_id"), primary_key=True),
    sqlite_with_rowid=False,
)
#: Withdrawals a destination has accepted from us, by keyed hash of `<identifier kind>:<identifier>`.
withdrawals = Table(
    "withdrawals",
    deliveries_metadata,
    Column("platform", String(40), primary_key=True),
    Column("account", String(80), primary_key=True),
    Column("channel", String(20), primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    Column("accepted_at", Utc, nullable=False),
)
#: Each time that a withdrawal was about to be written to a destination: committed before the call, so that what the
#: platform shows from then on can be told from what others did there. Never changed or removed.
writes = Table(
    "writes",
    deliveries_metadata,
    Column("written_at", Utc, primary_key=True),
    Column("platform", String(40), primary_key=True),
    Column("account", String(80), primary_key=True),
    Column("channel", String(20), primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    sqlite_with_rowid=False,
)
#: Plan files. status: ready | held | applied | superseded. `plan_id` is the hash of the file.
plans = Table(
    "plans",
    deliveries_metadata,
    Column("plan_id", String(64), primary_key=True),
    Column("build_id", Integer, nullable=False, index=True),
    Column("path", String(20), nullable=False),
    Column("platform", String(40), nullable=False),
    Column("account", String(80), nullable=False),
    Column("audience", String(80), nullable=False),
    Column("target", String(200), nullable=False),
    Column("adds", Integer, nullable=False),
    Column("updates", Integer, nullable=False),
    Column("removes", Integer, nullable=False),
    Column("suppressions", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    Column("held_because", Text, nullable=False, default=""),
    Column("approved_by", String(120), nullable=False, default=""),
    Column("file", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("finished_at", Utc),
)
#: One row per planned row. state: in_flight (committed before the call) | accepted | failed | dead | dropped
#: (the gate) | compensated. `job_id` follows an asynchronous vendor job over a crash.
outcomes = Table(
    "outcomes",
    deliveries_metadata,
    Column("plan_id", String(64), primary_key=True),
    Column("row_id", String(64), primary_key=True),
    Column("state", String(20), nullable=False, index=True),
    Column("attempts", Integer, nullable=False, default=0),
    Column("job_id", String(200), nullable=False, default=""),
    Column("code", String(80), nullable=False, default=""),
    Column("detail", Text, nullable=False, default=""),
    Column("changed_at", Utc, nullable=False),
    sqlite_with_rowid=False,
)
#: Calls the speed lane owes: one row per call target. operation: remove | suppress | identify (look up the e-mail and
#: phone behind a record); reason: the kind of the ledger row; state: due | done | dead | mended (dead, then mended by
#: hand) | lifted (its block was lifted before the call was made). `identifier` is the plain e-mail or phone while the
#: call needs it, else empty.
outbox = Table(
    "outbox",
    deliveries_metadata,
    Column("outbox_id", String(64), primary_key=True),
    Column("ledger_id", String(64), nullable=False, index=True),
    Column("operation", String(20), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("platform", String(40), nullable=False),
    Column("account", String(80), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("target", String(200), nullable=False, default=""),
    Column("record_id", String(200), nullable=False, default=""),
    Column("identifier_kind", String(20), nullable=False, default=""),
    Column("identifier", Text, nullable=False, default=""),
    Column("membership_id", String(64), nullable=False, default=""),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", Utc, nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Column("created_at", Utc, nullable=False),
    Column("done_at", Utc),
    Index("outbox_due", "state", "next_attempt_at"),
)
#: Access tokens that expire, by account key.
tokens = Table(
    "tokens",
    deliveries_metadata,
    Column("account", String(120), primary_key=True),
    Column("access", Text, nullable=False),
    Column("refresh", Text, nullable=False, default=""),
    Column("expires_at", Utc),
)
#: Destination accounts that may be sent additions; any other is planned for and held (its first push is a shadow).
approvals = Table(
    "approvals",
    deliveries_metadata,
    Column("platform", String(40), primary_key=True),
    Column("account", String(80), primary_key=True),
    Column("approved_by", String(120), nullable=False),
    Column("reason", Text, nullable=False),
    Column("approved_at", Utc, nullable=False),
)
#: One row: the id of this store. `lost_at`: it was made in place of one that is gone.
origin = Table(
    "origin",
    deliveries_metadata,
    Column("deliveries_id", String(64), primary_key=True),
    Column("created_at", Utc, nullable=False),
    Column("lost_at", Utc),
)
#: Places whose members are to be read back before anything is planned for them: `taken_at` is null while that is due.
#: `adopted` members came into state, `missing` ones left it, `unknown` records there are in no pull.
baselines = Table(
    "baselines",
    deliveries_metadata,
    Column("audience", String(80), primary_key=True),
    Column("platform", String(40), primary_key=True),
    Column("account", String(80), primary_key=True),
    Column("target", String(200), primary_key=True),
    Column("channel", String(20), nullable=False),
    Column("topic", String(80), nullable=False),
    Column("because", Text, nullable=False),
    Column("due_since", Utc, nullable=False),
    Column("taken_at", Utc),
    Column("adopted", Integer, nullable=False, default=0),
    Column("missing", Integer, nullable=False, default=0),
    Column("unknown", Integer, nullable=False, default=0),
)
#: Tokens in webhook URLs, by SHA-256 (the token itself is nowhere): the account they speak for and the tags they set.
webhook_tokens = Table(
    "webhook_tokens",
    deliveries_metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("platform", String(40), nullable=False),
    Column("account", String(80), nullable=False),
    Column("tags", JSON, nullable=False),
    Column("suppress_only", Boolean, nullable=False, default=True),
    Column("label", String(120), nullable=False, default=""),
    Column("created_at", Utc, nullable=False),
    Column("disabled_at", Utc),
)
#: Evidence packs that were written, never changed or removed: whose data left, by the keyed hash of `email:…`,
#: `phone:…`, `person:…` or `send:…` (`about` says which), and the SHA-256 of the pack's manifest.
exports = Table(
    "exports",
    deliveries_metadata,
    Column("export_id", String(64), primary_key=True),
    Column("actor", String(120), nullable=False),
    Column("about", String(20), nullable=False),
    Column("subject_hash", String(64), nullable=False),
    Column("build_id", Integer, nullable=False),
    Column("raw_rows", Integer, nullable=False),
    Column("manifest_hash", String(64), nullable=False),
    Column("exported_at", Utc, nullable=False),
)
#: Pace per account and bucket, shared by all processes: calls left and when the count was true.
pace = Table(
    "pace",
    deliveries_metadata,
    Column("account", String(120), primary_key=True),
    Column("bucket", String(80), primary_key=True),
    Column("available", Float, nullable=False),
    Column("as_of", Utc, nullable=False),
)
