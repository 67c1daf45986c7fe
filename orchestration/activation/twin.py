"""One segment's twin: `config.meta.audience` as dbt's manifest has it, read and checked key by key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlt_sources.accounts import Account
from dlt_sources.platform import Platform
from orchestration.activation.catalogue import NO_CHANNEL, SUPPRESSION, Audience, Place, Question
from orchestration.inputs.rules import tells_consent

TAG = "tag:"
_KINDS = ("list", "tag", "property")
_CHOICES = {
    "channel": ("email", "sms", "none"),
    "purpose": ("marketing", "transactional", "suppression"),
    "product_category": ("none", "alcohol", "vape", "tobacco", "cannabis", "adult"),
}
_REQUIRED = {
    "channel": "`channel: email`, `channel: sms`, or `channel: none` where nobody is written to",
    "purpose": "`purpose: marketing`, `purpose: transactional` or `purpose: suppression`",
    "topic": "the topic people agreed to, for example `topic: marketing`",
    "product_category": "`product_category: none`, or alcohol, vape, tobacco, cannabis or adult",
    "destinations": "a list such as `- {platform: klaviyo, list: Recent buyers}`, or `[]`",
}
_OPTIONAL = ("leave_on", "enter_on", "send_event", "holdout", "limits", "sender", "policy", "brand")
_PLACE_KEYS = ("platform", "account", *_KINDS, "traits", "create_missing")
_LIMITS = ("removed_share",)
#: What makes no sense of an audience that tells a destination whom to leave alone: it is left by erasure only.
_NOT_OF_SUPPRESSION = ("leave_on", "holdout", "send_event")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one twin: the file to open, the key to look at and what to write there."""

    audience: str
    file: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}, {self.key}: {self.message}"


def event_name(text: str) -> str:
    """An event's name as catalogue and ledger have it: a tag (`tag:Buyer`) in any case is the same tag."""
    tag = text[: len(TAG)].lower() == TAG
    return f"{TAG}{text[len(TAG) :].strip().casefold()}" if tag else text


class Twin:
    """One segment's twin while it is read; collects every problem instead of stopping at the first."""

    def __init__(
        self,
        node: Mapping[str, Any],
        platforms: Sequence[Platform],
        accounts: Sequence[Account] | None,
        events: Collection[str],
    ) -> None:
        self.name = str(node["name"])
        self.problems: list[Problem] = []
        patch = str(node.get("patch_path") or "").partition("://")[2]
        self._file = patch or str(Path(node["original_file_path"]).with_suffix(".yml"))
        self._meta: Mapping[str, Any] = (node.get("config") or {}).get("meta") or node.get("meta") or {}
        self._platforms = {platform.name: platform for platform in platforms}
        self._accounts = accounts
        self._events = events

    def read(self) -> Audience | None:
        """The audience, or None when a problem was found."""
        twin = self._meta.get("audience")
        if not isinstance(twin, Mapping):
            self._wrong("config.meta.audience", f"is missing; write there {', '.join(_REQUIRED)}")
            return None
        for key, hint in _REQUIRED.items():
            if twin.get(key) in (None, ""):
                self._wrong(key, f"is missing; write {hint}")
        for key, choices in _CHOICES.items():
            if twin.get(key) and twin[key] not in choices:
                self._wrong(key, f"is {twin[key]!r}; write one of {', '.join(choices)}")
        for key in set(twin) - set(_REQUIRED) - set(_OPTIONAL):
            self._wrong(str(key), "is not a key of an audience; remove it or correct its spelling")
        for key in ("owner", "rule"):
            if not self._meta.get(key):
                self._wrong(f"config.meta.{key}", "is missing; write who answers for the segment and its rule in words")
        leave_on, enter_on = self._event_names(twin, "leave_on"), self._event_names(twin, "enter_on")
        self._suppression(twin)
        limits = self._limits(twin)
        places = self._places(twin)
        if self.problems:
            return None
        question = Question(
            **{key: str(twin[key]) for key in ("channel", "purpose", "topic", "product_category")},
            **{key: str(twin[key]) for key in ("sender", "policy") if twin.get(key)},
        )
        return Audience(
            name=self.name,
            channel=question.channel,
            purpose=question.purpose,
            topic=question.topic,
            brand=str(twin.get("brand") or self._brand(places)),
            question_id=question.id,
            owner=str(self._meta["owner"]),
            rule=str(self._meta["rule"]),
            leave_on=leave_on,
            enter_on=enter_on,
            send_event=str(twin.get("send_event") or ""),
            destinations=places,
            limits=limits,
        )

    def _wrong(self, key: str, message: str) -> None:
        self.problems.append(Problem(self.name, self._file, key, message))

    def _event_names(self, twin: Mapping[str, Any], key: str) -> tuple[str, ...]:
        names = twin.get(key) or []
        if not isinstance(names, list):
            self._wrong(key, "is no list; write for example `[order_placed]`")
            return ()
        names = [event_name(str(name)) for name in names]
        for name in names:
            tag = name.startswith(TAG)
            if tag and key == "enter_on" and twin.get("purpose") != SUPPRESSION:
                self._wrong(key, f"names {name!r}: who calls a URL may take people out, not add them to what is sent")
            elif self._events and not tag and name not in self._events:
                self._wrong(key, f"names {name!r}, which is no event; write one of {', '.join(sorted(self._events))}")
        return tuple(names)

    def _suppression(self, twin: Mapping[str, Any]) -> None:
        """Purpose suppression and channel none belong together, and need nothing that only contact has."""
        suppresses = twin.get("purpose") == SUPPRESSION
        if suppresses != (twin.get("channel") == NO_CHANNEL):
            self._wrong("channel", f"`channel: {NO_CHANNEL}` and `purpose: {SUPPRESSION}` go together; write both")
        if not suppresses:
            return
        for key in _NOT_OF_SUPPRESSION:
            if twin.get(key):
                self._wrong(key, "has no meaning with `purpose: suppression`; remove it")
        if twin.get("product_category") not in (None, "", "none"):
            self._wrong("product_category", "with `purpose: suppression` write `product_category: none`")

    def _limits(self, twin: Mapping[str, Any]) -> dict[str, float]:
        limits = twin.get("limits") or {}
        if not isinstance(limits, Mapping):
            self._wrong("limits", "is no mapping; write for example `{removed_share: 0.3}`")
            return {}
        for key, value in limits.items():
            if key not in _LIMITS:
                self._wrong(f"limits.{key}", f"is no limit; write one of {', '.join(_LIMITS)}")
            elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                self._wrong(f"limits.{key}", f"is {value!r}; write a share from 0 to 1")
        return {} if self.problems else {key: float(value) for key, value in limits.items()}

    def _places(self, twin: Mapping[str, Any]) -> tuple[Place, ...]:
        entries = twin.get("destinations") or []
        if not isinstance(entries, list):
            self._wrong("destinations", f"is no list; write {_REQUIRED['destinations']}")
            return ()
        suppresses = twin.get("purpose") == SUPPRESSION
        places = [self._place(f"destinations[{number}]", entry, suppresses) for number, entry in enumerate(entries)]
        return tuple(place for place in places if place is not None)

    def _place(self, key: str, entry: object, suppresses: bool) -> Place | None:
        """One destination; None when it has a problem or when its platform is not configured."""
        if not isinstance(entry, Mapping):
            self._wrong(key, "is no mapping; write for example `{platform: klaviyo, list: Recent buyers}`")
            return None
        found = len(self.problems)
        for unknown in set(entry) - set(_PLACE_KEYS):
            self._wrong(f"{key}.{unknown}", "is not a key of a destination; remove it or correct its spelling")
        kinds = [kind for kind in _KINDS if entry.get(kind)]
        if len(kinds) != 1:
            self._wrong(key, "needs exactly one of list, tag and property, with the name at the platform")
        traits = entry.get("traits") or {}
        if not isinstance(traits, Mapping):
            self._wrong(f"{key}.traits", "is no mapping; write `their_name: our_column`")
        platform = self._platforms.get(str(entry.get("platform")))
        kind = platform.destination_class() if platform else None
        if platform is None:
            known = ", ".join(self._platforms)
            self._wrong(f"{key}.platform", f"is {entry.get('platform')!r}; write one of {known}")
        elif kind is None or not kind.offers("add"):
            self._wrong(f"{key}.platform", f"{platform.title} takes no audiences; choose another platform")
        elif not kind.offers("remove") and not suppresses:
            self._wrong(
                f"{key}.platform",
                f"{platform.title} never lets go of a member, so it takes audiences of `purpose: suppression` only",
            )
        elif len(kinds) == 1 and kinds[0] not in kind.target_kinds:
            self._wrong(key, f"{platform.title} has no {kinds[0]}; write one of {', '.join(kind.target_kinds)}")
        else:
            for name in (*traits, *(entry["property"] for kind in kinds if kind == "property")):
                if tells_consent(platform.name, str(name)):
                    self._wrong(
                        key,
                        f"writes {str(name)!r}, by which {platform.title} tells consent; an audience may not, "
                        "choose another name",
                    )
        if len(self.problems) > found:
            return None
        name = self._account(key, str(entry["platform"]), str(entry.get("account") or ""))
        if name is None:
            return None
        return Place(
            platform=str(entry["platform"]),
            account=name,
            target=f"{kinds[0]}:{entry[kinds[0]]}",
            traits={str(theirs): str(ours) for theirs, ours in traits.items()},
            create_missing=bool(entry.get("create_missing", False)),
        )

    def _account(self, key: str, platform: str, name: str) -> str | None:
        """The account meant: the one named, else the platform's only one; a platform without any is left out."""
        if self._accounts is None:
            return name
        candidates = [account.name for account in self._accounts if account.platform == platform]
        if name in candidates or not candidates:
            return name if candidates else None
        if not name and len(candidates) == 1:
            return candidates[0]
        self._wrong(f"{key}.account", f"is {name!r}; write one of {', '.join(candidates)}")
        return None

    def _brand(self, places: Sequence[Place]) -> str:
        brands = {account.key: account.brand for account in self._accounts or ()}
        return next((brands.get(f"{place.platform}:{place.account}", "*") for place in places), "*")
