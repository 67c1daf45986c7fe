"""Deliberate faults in the models that decide: each has to be noticed by a case or by the oracle.

The project is built once. A fault is one exact piece of a model's SQL replaced by another; the model and all that
reads it are then made again in a copy of that warehouse, which takes seconds where dbt would take a minute.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import orjson

from orchestration.deciding.cases import Case
from orchestration.deciding.decide import Answer, answer, build
from orchestration.deciding.worlds import World
from orchestration.home import Home


@dataclass(frozen=True)
class Mutant:
    """One fault: what a reviewer would call it, the model, and its SQL before and after."""

    name: str
    model: str
    right: str
    wrong: str


class Built:
    """The models of one build over some cases, which can be made again with a fault in one of them."""

    def __init__(self, home: Home, folder: Path, cases: Sequence[Case]) -> None:
        self.folder = folder
        self.scratch = Home(folder / "whole")
        self.worlds: list[World] = build(home, self.scratch, cases)
        target = home.data / "decide" / "target"
        manifest = orjson.loads((target / "manifest.json").read_bytes())
        self.nodes: Mapping[str, Mapping[str, object]] = {
            name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"
        }
        self.children: Mapping[str, Sequence[str]] = manifest["child_map"]
        self.compiled = target / "compiled"

    def answers(self) -> list[Answer]:
        """What the models say without any fault."""
        return _answers(self.scratch.warehouse, self.worlds)

    def with_fault(self, mutant: Mutant) -> list[Answer]:
        """What they say with it; LookupError when its model does not hold the text exactly once."""
        folder = self.folder / "faulty"
        folder.mkdir(exist_ok=True)
        path = folder / self.scratch.warehouse.name
        shutil.copyfile(self.scratch.warehouse, path)
        changed = f"model.audiences.{mutant.model}"
        with duckdb.connect(str(path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for name in self._from(changed):
                sql = self._sql(name)
                if name == changed:
                    if (times := sql.count(mutant.right)) != 1:
                        raise LookupError(
                            f"{mutant.name}: {mutant.model} holds the text {times} times:\n{mutant.right}"
                        )
                    sql = sql.replace(mutant.right, mutant.wrong)
                kind = "VIEW" if self.nodes[name]["config"]["materialized"] == "view" else "TABLE"  # type: ignore[index]
                connection.execute(f"CREATE OR REPLACE {kind} {self.nodes[name]['relation_name']} AS {sql}")
        return _answers(path, self.worlds)

    def _sql(self, name: str) -> str:
        node = self.nodes[name]
        if node["language"] != "sql":
            raise LookupError(f"{name} is no SQL: choose a model that it does not read")
        return (self.compiled / str(node["package_name"]) / str(node["original_file_path"])).read_text()

    def _from(self, changed: str) -> list[str]:
        """A model and all models between it and the decisions, each after those that it reads."""
        wanted, queue = {changed}, [changed]
        while queue:
            for child in self.children[queue.pop()]:
                if child in self.nodes and child not in wanted:
                    wanted.add(child)
                    queue.append(child)
        needed, queue = set(), ["model.audiences.decisions"]
        while queue:
            name = queue.pop()
            if name not in needed:
                needed.add(name)
                queue += [one for one in self._reads(name) if one in self.nodes]
        order: list[str] = []
        for name in sorted(wanted & needed):
            self._after(name, wanted & needed, order)
        return order

    def _after(self, name: str, wanted: set[str], order: list[str]) -> None:
        if name in order:
            return
        for parent in self._reads(name):
            if parent in wanted:
                self._after(parent, wanted, order)
        order.append(name)

    def _reads(self, name: str) -> Sequence[str]:
        return self.nodes[name]["depends_on"]["nodes"]  # type: ignore[index,no-any-return]


def _answers(path: Path, worlds: Sequence[World]) -> list[Answer]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return answer(connection, worlds)
