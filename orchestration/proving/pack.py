"""The evidence pack: what an auditor asks for about one person or one send, as a folder of JSON, CSV and pages.

It is the one place where raw data leaves. Every file is readable by its owner alone, the manifest names each with its
SHA-256, and the export is on record in state, with who made it, before the folder appears under its name.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import duckdb
from sqlalchemy import insert, select

from dlt_sources.errors import AudiencesError, ConfigurationError
from orchestration.activation import sent
from orchestration.activation.answer import Answer
from orchestration.activation.asked import question
from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import reading
from orchestration.activation.state import State, builds, exports
from orchestration.activation.why import explained
from orchestration.home import Home
from orchestration.proving import pack_files, page, raw_rows
from orchestration.proving.past import Tell, why_then
from orchestration.warehouse import published

INDEX, MANIFEST = "index.html", "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What was written: where, how many files and raw rows, and the SHA-256 of the manifest."""

    folder: Path
    files: int
    raw_rows: int
    manifest_hash: str
    export_id: str


def of_person(home: Home, subject: str, folder: Path, *, actor: str) -> Pack:
    """Write the pack about a person, as the published build has it.

    Raises AudiencesError as `why` does and for somebody unknown, ConfigurationError for a folder that is not empty.
    """
    _refuse(folder, actor)
    asked = question(home, subject, None)
    with published(home) as connection, closing(State.of(home)) as state:
        answer = explained(home, connection, state, asked, show=True)
        if not answer.people and not answer.facts:
            raise AudiencesError("Nobody is known by that, and nothing is recorded on it: there is nothing to prove.")
        about = "person" if not asked.key else asked.key.partition(":")[0]
        named = asked.key or f"person:{subject}"
        return _write(home, state, connection, answer, folder, actor=actor, about=about, named=named)


def of_send(home: Home, write_id: str, folder: Path, *, actor: str, tell: Tell = lambda text: None) -> Pack:
    """Write the pack about one send: its person, decided anew at the times of the build that the push came from.

    Raises AudiencesError when nothing by that id was sent.
    """
    _refuse(folder, actor)
    with closing(State.of(home)) as state:
        found = sent.push(home.data, state, write_id)
        if found is None:
            raise AudiencesError(
                f"Nothing was sent by the id {write_id!r}: `audiences why` lists the writes of a person."
            )
        push, person_id, _ = found
        with reading(state.ledger) as connection:
            times = connection.execute(select(builds).where(builds.c.build_id == push.build_id)).first()
        written: list[Pack] = []

        def then(scratch: duckdb.DuckDBPyConnection, answer: Answer) -> None:
            # The push came after what it went by.
            people = [replace(person, pushes=[push, *person.pushes]) for person in answer.people]
            named = f"send:{push.write_id}"
            written.append(
                _write(
                    home,
                    state,
                    scratch,
                    replace(answer, people=people),
                    folder,
                    actor=actor,
                    about="send",
                    named=named,
                )
            )

        why_then(
            home,
            person_id,
            push.audience or None,
            as_of=times.as_of if times else push.at,
            known_at=times.started_at if times else push.at,
            show=True,
            tell=tell,
            then=then,
        )
        return written[0]


def _refuse(folder: Path, actor: str) -> None:
    if not actor.strip():
        raise ConfigurationError("Say who exports the evidence: --actor NAME; it is kept.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} is not empty: name a new folder.")


def _write(
    home: Home,
    state: State,
    connection: duckdb.DuckDBPyConnection,
    answer: Answer,
    folder: Path,
    *,
    actor: str,
    about: str,
    named: str,
) -> Pack:
    """Write into a draft beside the folder, put the export on record, then give the folder its name."""
    raw = raw_rows.behind(connection, pack_files.facts_of(answer))
    content = pack_files.files(home, answer, raw)
    draft = folder.with_name(f".{folder.name}.{uuid4().hex}")
    draft.mkdir(mode=0o700, parents=True)
    try:
        for name, data in content.items():
            _private(draft / name, data)
        now = datetime.now(UTC)
        listed = [
            {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in content.items()
        ]
        manifest = {
            "about": about,
            "actor": actor,
            "exported_at": now,
            "build_id": answer.build_id,
            "as_of": answer.as_of,
            "known_at": answer.known_at,
            "rule_version": answer.rule_version,
            "files": listed,
        }
        data = pack_files.as_json(manifest)
        _private(draft / MANIFEST, data)
        _private(draft / INDEX, page.index(answer, listed, pack_files.CONTENTS, actor=actor, at=now).encode())
        pack = Pack(
            folder=folder,
            files=len(content) + 2,
            raw_rows=len(raw),
            manifest_hash=hashlib.sha256(data).hexdigest(),
            export_id=uuid4().hex,
        )
        with state.write_deliveries() as store:
            values = {"export_id": pack.export_id, "actor": actor, "about": about, "build_id": answer.build_id}
            values |= {"raw_rows": pack.raw_rows, "manifest_hash": pack.manifest_hash, "exported_at": now}
            store.execute(insert(exports).values(subject_hash=keyed_hash(state.key, named), **values))
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return pack


def _private(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
