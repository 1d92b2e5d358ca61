"""Which cards were chosen, in the journal: for the outbox, the cooldown, and what the platform reports of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Literal

import msgspec

from upstander.adapters.base import Action
from upstander.engine.state import Broadcast
from upstander.journal import store
from upstander.journal.entries import Entry, Kind, reference
from upstander.model.decision import Asked, Decision, decode_decision
from upstander.model.order import Order
from upstander.model.vocabulary import AgeBand, Intervention, Tactic
from upstander.nudge.cards import INTERNATIONAL, shipped
from upstander.nudge.choose import choose, language_of
from upstander.nudge.payload import Card, Do
from upstander.outbox.actions import action_id
from upstander.settings import NudgeSettings, SettingsError

#: Broadcasts whose cards are remembered; those of the oldest are read from the journal when they are needed again.
REMEMBERED = 20_000
_NUDGE = Asked(Intervention.NUDGE_HOST)


class Chosen(msgspec.Struct, frozen=True, gc=False):
    """The body of a ``nudge`` entry: the card, the event or order it came of, that event's time, and its viewer."""

    event: str
    at: int
    viewer: str
    card: Card


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What a platform says came of a nudge. ``do`` names the button of an ``action``; ``after_ms`` counts from when
    the card was shown."""

    event: Literal["shown", "dismissed", "action"]
    do: Do | None = None
    after_ms: int | None = None


class Reported(msgspec.Struct, frozen=True, gc=False):
    """The body of a ``nudge_report`` entry."""

    nudge: str
    report: Report


def nudge_id(platform: str, broadcast: str, event: str, ordered: bool = False) -> str:
    """The id of the nudge that an event (or an order of that id) led to: that of its action."""
    return action_id(platform, broadcast, event, _NUDGE, ordered)


def nudge_reference(platform: str, identifier: str) -> int:
    """The key under which a nudge and the reports about it stand in the journal."""
    return reference(platform, "", f"nudge\0{identifier}")


def find_chosen(reader: sqlite3.Connection, platform: str, identifier: str) -> tuple[Entry, Chosen] | None:
    """The nudge with this id, when its platform has one."""
    key = nudge_reference(platform, identifier)
    for placed in store.find(reader, [key]).get(key, ()):
        if placed.entry.kind is Kind.NUDGE and placed.entry.platform == platform:
            chosen = msgspec.json.decode(placed.entry.body, type=Chosen)
            if chosen.card.id == identifier:
                return placed.entry, chosen
    return None


def find_report(reader: sqlite3.Connection, platform: str, identifier: str, report: Report) -> int:
    """The sequence number of an earlier report that says the same of a nudge, or 0."""
    key = nudge_reference(platform, identifier)
    for placed in store.find(reader, [key]).get(key, ()):
        if placed.entry.kind is Kind.NUDGE_REPORT:
            before = msgspec.json.decode(placed.entry.body, type=Reported)
            if (before.nudge, before.report.event, before.report.do) == (identifier, report.event, report.do):
                return placed.seq
    return 0


def with_card(reader: sqlite3.Connection, action: Action) -> Action:
    """An action as it is sent: a nudge carries its card, the same at every attempt."""
    if action.doing != Intervention.NUDGE_HOST:
        return action
    found = find_chosen(reader, action.platform, action.id)
    return action if found is None else msgspec.structs.replace(action, card=found[1].card)


class Book:
    """Chooses cards and remembers when each was chosen. All times are the events' own, so a replay chooses the same."""

    def __init__(self, settings: NudgeSettings) -> None:
        self._library, self._settings = shipped(), settings
        self.counts = {"chosen": 0, "shown": 0, "dismissed": 0, "action": 0}
        #: by platform and broadcast, when each topic's card was last chosen
        self._shown: dict[tuple[str, str], dict[str, int]] = {}
        countries = self._library.directory.countries
        if settings.country and settings.country not in countries:
            known = ", ".join(sorted(country for country in countries if country != INTERNATIONAL))
            fix = f"Known: {known}. Leave it empty for the international places of help."
            raise SettingsError(f"[nudge] `country` is {settings.country!r}, and no places of help are listed. {fix}")
        if settings.language not in self._library.words:
            known = ", ".join(self._library.languages)
            raise SettingsError(f"[nudge] `language` is {settings.language!r}. There are cards in: {known}.")

    def of_decision(
        self, reader: sqlite3.Connection, platform: str, decision: Decision, broadcast: Broadcast | None, now: int
    ) -> list[Entry]:
        """The journal entry (received ``now``) for a decision's card; none when no nudge or no card is due."""
        if all(asked.do is not Intervention.NUDGE_HOST for asked in decision.interventions):
            return []
        identifier = nudge_id(platform, decision.broadcast, decision.event)
        where = (platform, decision.broadcast, broadcast)
        came_of = (identifier, decision.event, decision.at, decision.actor or "")
        return self._choose(reader, where, came_of, decision.tactics, now)

    def of_order(
        self, reader: sqlite3.Connection, platform: str, order: Order, broadcast: Broadcast | None, now: int
    ) -> list[Entry]:
        """The journal entry for the (general) card of a person's order to nudge."""
        if order.do is not Intervention.NUDGE_HOST:
            return []
        identifier = nudge_id(platform, order.broadcast, order.id, ordered=True)
        at = broadcast.now if broadcast else order.at
        return self._choose(reader, (platform, order.broadcast, broadcast), (identifier, order.id, at, ""), (), now)

    def forget(self) -> None:
        """What is remembered may not have been kept: read it again from the journal."""
        self._shown.clear()

    def _choose(
        self,
        reader: sqlite3.Connection,
        where: tuple[str, str, Broadcast | None],
        came_of: tuple[str, str, int, str],
        tactics: Collection[Tactic],
        now: int,
    ) -> list[Entry]:
        platform, identifier, broadcast = where
        nudge, event, at, viewer = came_of
        shown = self._shown.get((platform, identifier))
        if shown is None:
            if len(self._shown) >= REMEMBERED:
                del self._shown[next(iter(self._shown))]
            shown = self._shown[platform, identifier] = _recall(reader, platform, identifier)
        language = language_of(broadcast.language if broadcast else "", self._settings.language, self._library)
        band = broadcast.band if broadcast else AgeBand.UNKNOWN
        country = self._settings.country or INTERNATIONAL
        card = choose(self._library, tactics, band, language, country, shown, now=at, identifier=nudge)
        if card is None:
            return []
        shown[card.topic] = max(at, shown.get(card.topic, at))
        self.counts["chosen"] += 1
        body = msgspec.json.encode(Chosen(event, at, viewer, card))
        return [Entry(Kind.NUDGE, body, now, platform, identifier, nudge_reference(platform, nudge))]


def _recall(reader: sqlite3.Connection, platform: str, broadcast: str) -> dict[str, int]:
    """When each topic's card was last chosen for a broadcast, by its decisions or by a person's order."""
    ordered = "SELECT id FROM outbox WHERE platform = ? AND broadcast = ? AND asked = 'nudge_host'"
    identifiers = {row[0] for row in reader.execute(ordered, (platform, broadcast))}
    # Not all decisions of a long broadcast are decoded: only those that have the word in them.
    asked = "kind = 'decision' AND platform = ? AND broadcast = ? AND instr(body, CAST('\"nudge_host\"' AS BLOB)) > 0"
    for placed in store.read(reader, 0, asked, (platform, broadcast)):
        identifiers.add(nudge_id(platform, broadcast, decode_decision(placed.entry.body).event))
    shown: dict[str, int] = {}
    for identifier in sorted(identifiers):
        found = find_chosen(reader, platform, identifier)
        if found is not None:
            card, at = found[1].card, found[1].at
            shown[card.topic] = max(at, shown.get(card.topic, at))
    return shown
