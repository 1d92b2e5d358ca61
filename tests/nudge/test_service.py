"""Nudges in a running service: the card leaves with its action, the platform reports, the journal keeps both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support import (
    Gate,
    Gateway,
    Receiver,
    Recorder,
    assert_whole,
    asynchronous,
    bearer,
    comment,
    eventually,
    gateway,
    make_key,
    now_ms,
    replayed_states,
    started,
)
from upstander.adapters.base import Action, Capability, Outcome
from upstander.adapters.webhook import WebhookAdapter
from upstander.gateway.keys import Scope
from upstander.journal.entries import Kind
from upstander.model.decision import Asked, Decision
from upstander.model.vocabulary import Intervention, Tactic
from upstander.nudge import book
from upstander.nudge.cards import shipped
from upstander.nudge.choose import COOLDOWN_MS
from upstander.nudge.payload import Card
from upstander.settings import NudgeSettings, SettingsError, load

BRITISH = NudgeSettings(country="GB")
#: Mild words that together show two tactics of one viewer, enough for a nudge.
PRESSED = ("do a spin and ill send a gift", "dont tell your mom", "are your parents home")


async def press(g: Gateway, broadcast: str = "b1", band: str = "10_12", language: str = "", **fields: Any) -> list[str]:
    """Start a broadcast and press its host; ids of the events whose decisions ask for a nudge."""
    events = [started(f"s-{broadcast}", broadcast, band, language=language)]
    events += [comment(f"c{n}-{broadcast}", text, broadcast, actor="v1", **fields) for n, text in enumerate(PRESSED)]
    results = (await g.post(events)).json()["results"]
    decided = [result["decision"] for result in results if result.get("decision")]
    return [each["event"] for each in decided if any(a["do"] == "nudge_host" for a in each["interventions"])]


def nudges(performed: list[Action]) -> list[Action]:
    return [action for action in performed if action.doing == "nudge_host"]


@asynchronous
async def test_a_nudge_leaves_with_its_card_through_the_webhook(tmp_path: Path, receiver: Receiver) -> None:
    adapter = WebhookAdapter("hook", "mysite", receiver.url, receiver.secret, frozenset(Capability))
    async with gateway(tmp_path, [adapter], nudge=BRITISH) as g:
        assert await press(g)
        await eventually(lambda: nudges(receiver.trusted))
        action = nudges(receiver.trusted)[0]
        card = action.card
        assert card is not None
        assert (card.id, card.band, card.language) == (action.id, "10_12", "en")
        assert card.topic in {*Tactic, "general"}
        assert "Childline" in [place.name for place in card.help]
        sent = json.loads(next(d.body for d in receiver.deliveries if d.action and d.action.id == action.id))
        assert set(sent["card"]["help"][0]) == {"name", "for", "contact", "url"}
        for text in PRESSED:
            assert text not in json.dumps(sent), "what was written to the child is never repeated"
        others = [json.loads(d.body) for d in receiver.deliveries if d.action and d.action.doing != "nudge_host"]
        assert others
        assert all("card" not in body for body in others)
    assert_whole(g.service.settings.journal_path)


@asynchronous
async def test_every_attempt_carries_the_same_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upstander.outbox.dispatcher.retry_delay_s", lambda attempts: 0.01)
    adapter = Recorder(capabilities=[Capability.NUDGE_HOST])
    adapter.answers = [Outcome(False, retry=True), Outcome(False, retry=True)]
    async with gateway(tmp_path, [adapter]) as g:
        await press(g)
        await eventually(lambda: len(nudges(adapter.performed)) >= 3)
    first = adapter.performed[0]
    same = [action for action in adapter.performed if action.id == first.id]
    assert len(same) == 3
    assert first.card is not None
    assert [action.card for action in same] == [first.card] * 3


@asynchronous
async def test_the_card_is_in_the_hosts_language_and_the_countrys_places(tmp_path: Path) -> None:
    async with gateway(tmp_path, [Recorder()], nudge=NudgeSettings("ES", "es")) as g:
        for broadcast, tag, language in (("b1", "de-AT", "de"), ("b2", "xx", "es"), ("b3", "", "es")):
            event = (await press(g, broadcast, language=tag))[0]
            answer = await g.http.get("/v1/nudges", params={"broadcast": broadcast, "event": event})
            card = answer.json()
            assert card["language"] == language
            assert "116 111" in [place["contact"] for place in card["help"]]


@asynchronous
async def test_what_becomes_of_a_nudge_is_recorded_once(tmp_path: Path) -> None:
    async with gateway(tmp_path, [Recorder()]) as g:
        event = (await press(g))[0]
        card = (await g.http.get("/v1/nudges", params={"broadcast": "b1", "event": event})).json()
        assert msgspec.convert(card, Card).id == book.nudge_id("mysite", "b1", event)
        where = f"/v1/nudges/{card['id']}"
        first = (await g.http.post(where, json={"event": "shown"})).json()
        assert first == {"nudge": card["id"], "seq": first["seq"], "duplicate": False}
        again = (await g.http.post(where, json={"event": "shown", "after_ms": 5})).json()
        assert again == {"nudge": card["id"], "seq": first["seq"], "duplicate": True}
        for report in (
            {"event": "action", "do": "block_viewer", "after_ms": 1500},
            {"event": "action", "do": "end_stream"},
            {"event": "dismissed", "after_ms": 4000},
        ):
            assert (await g.http.post(where, json=report)).json()["duplicate"] is False
        kept = [json.loads(placed.entry.body) for placed in g.journal("nudge_report")]
        assert [each["report"]["event"] for each in kept] == ["shown", "action", "action", "dismissed"]
        assert kept[1] == {
            "nudge": card["id"],
            "report": {"event": "action", "do": "block_viewer", "after_ms": 1500},
        }
        text = (await g.http.get("/metrics")).text
        for name, count in (("shown", 1), ("action", 2), ("dismissed", 1)):
            assert f'upstander_nudges_total{{event="{name}"}} {count}.0' in text
        live = g.service.intake.runtime.snapshot()
    assert_whole(g.service.settings.journal_path)
    assert replayed_states(g.service.settings.journal_path, tmp_path) == live


@asynchronous
async def test_what_is_wrong_with_a_report_is_said(tmp_path: Path) -> None:
    async with gateway(tmp_path, [Recorder()]) as g:
        event = (await press(g))[0]
        identifier = book.nudge_id("mysite", "b1", event)
        for body, said in (
            ({"event": "seen"}, "Invalid enum value"),
            ({}, "missing required field `event`"),
            ({"event": "shown", "who": "x"}, "unknown field"),
            ({"event": "action"}, "`do` does not go with"),
            ({"event": "action", "do": "dismiss"}, "`do` does not go with"),
            ({"event": "shown", "do": "block_viewer"}, "`do` does not go with"),
            ({"event": "shown", "after_ms": -1}, "after_ms is -1"),
        ):
            refused = await g.http.post(f"/v1/nudges/{identifier}", json=body)
            assert refused.status_code == 422
            assert said in refused.json()["error"]["reason"]
        assert (await g.http.post(f"/v1/nudges/{identifier}", content=b"\xff")).status_code == 422
        unknown = await g.http.post("/v1/nudges/" + "0" * 32, json={"event": "shown"})
        assert unknown.status_code == 404
        assert "nudge_host" in unknown.json()["error"]["fix"]
        assert (await g.http.get("/v1/nudges", params={"broadcast": "b1", "event": "none"})).status_code == 404
        # Another platform's key finds nothing: not the card, not the nudge.
        theirs = bearer(make_key(g.data, *Scope, platform="other"))
        elsewhere = await g.http.post(f"/v1/nudges/{identifier}", json={"event": "shown"}, headers=theirs)
        assert elsewhere.status_code == 404
        looked = await g.http.get("/v1/nudges", params={"broadcast": "b1", "event": event}, headers=theirs)
        assert looked.status_code == 404
        assert g.journal("nudge_report") == []


@asynchronous
async def test_a_persons_order_to_nudge_brings_the_general_card(tmp_path: Path) -> None:
    adapter = Recorder(capabilities=[Capability.NUDGE_HOST])
    async with gateway(tmp_path, [adapter]) as g:
        await g.post(started())
        assert (await g.order(do="nudge_host")).status_code == 200
        assert (await g.order(do="nudge_host")).json()["duplicate"] is True
        await eventually(lambda: adapter.performed)
        card = adapter.performed[0].card
        assert card is not None
        assert (card.topic, card.band, card.id) == ("general", "10_12", adapter.performed[0].id)
        # Nothing is left to say so soon after: the action goes out all the same, without a card.
        assert (await g.order(id="o2", do="nudge_host")).status_code == 200
        await eventually(lambda: len(adapter.performed) == 2)
        assert adapter.performed[1].card is None
    assert_whole(g.service.settings.journal_path)


@asynchronous
async def test_after_a_restart_a_card_is_still_not_shown_twice(tmp_path: Path) -> None:
    adapter = Recorder(capabilities=[Capability.NUDGE_HOST])
    async with gateway(tmp_path, [adapter]) as g:
        await g.post(started())
        await g.order(do="nudge_host")
        await eventually(lambda: adapter.performed)
    async with gateway(tmp_path, [adapter]) as g:
        await g.order(id="o2", do="nudge_host")
        await eventually(lambda: len(adapter.performed) == 2)
        assert adapter.performed[1].card is None


@asynchronous
async def test_what_was_shown_is_read_from_the_journal_also_without_an_adapter(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        await press(g)
        await press(g, "b2")
        kept = [placed for placed in g.journal("nudge") if placed.entry.broadcast == "b1"]
        chosen = [msgspec.json.decode(placed.entry.body, type=book.Chosen) for placed in kept]
        assert chosen
        recalled = book._recall(g.service.intake.journal.reader, "mysite", "b1")
        assert recalled == {each.card.topic: each.at for each in chosen}
        assert g.service.intake.nudges._shown["mysite", "b1"] == recalled


@asynchronous
async def test_a_card_that_was_not_kept_does_not_count_as_shown(tmp_path: Path, gate: Gate) -> None:
    adapter = Recorder(capabilities=[Capability.NUDGE_HOST])
    async with gateway(tmp_path, [adapter]) as g:
        await g.post(started())
        gate.fail = OSError("no space left")
        assert (await g.order(do="nudge_host")).status_code == 503
        gate.fail = None
        await eventually(lambda: g.service.intake.available)
        assert (await g.order(do="nudge_host")).status_code == 200
        await eventually(lambda: adapter.performed)
        assert adapter.performed[0].card is not None


@asynchronous
async def test_an_action_from_before_there_were_cards_goes_without_one(tmp_path: Path) -> None:
    async with gateway(tmp_path, [Recorder()]) as g:
        now = now_ms()
        old = Action("f" * 32, "mysite", "b1", "c1", "nudge_host", "nudge_host", "", "recorder", "urgent", now, now)
        assert book.with_card(g.service.intake.journal.reader, old) is old


@asynchronous
async def test_the_component_is_served_to_pages_of_any_origin(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        answer = await g.http.get("/static/upstander-nudge.js", headers={"authorization": ""})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert 'customElements.define("upstander-nudge"' in answer.text


def test_the_book_forgets_the_oldest_broadcast_and_chooses_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    from upstander.journal import store

    monkeypatch.setattr(book, "REMEMBERED", 2)
    reader = sqlite3.connect(":memory:")
    reader.executescript(store._SCHEMA)

    def decided(broadcast: str, event: str, at: int) -> Decision:
        asked = (Asked(Intervention.NUDGE_HOST),)
        return Decision(event, broadcast, "v1", at, "urgent", (Tactic.THREAT,), (), asked, 5.0, 5.0, (), {})

    kept = book.Book(NudgeSettings())
    for number, broadcast in enumerate(("b1", "b2", "b3")):
        (entry,) = kept.of_decision(reader, "mysite", decided(broadcast, "c1", number), None, 7)
        assert (entry.kind, entry.at, entry.broadcast) == (Kind.NUDGE, 7, broadcast)
        chosen = msgspec.json.decode(entry.body, type=book.Chosen)
        assert (chosen.card.topic, chosen.card.band, chosen.viewer) == ("threat", "10_12", "v1")
    assert len(kept._shown) == 2
    topics = [
        msgspec.json.decode(entry.body, type=book.Chosen).card.topic
        for at in (3, 4, 5 + COOLDOWN_MS)
        for entry in kept.of_decision(reader, "mysite", decided("b3", f"d{at}", at), None, 7)
    ]
    assert topics == ["general", "threat"], "then nothing until the cooldown is over"
    assert kept.counts["chosen"] == 5


def test_settings_that_cannot_serve_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"`country` is 'UK'.*GB"):
        book.Book(NudgeSettings(country="UK"))
    with pytest.raises(SettingsError, match=r"`language` is 'xx'.*pt"):
        book.Book(NudgeSettings(language="xx"))
    file = tmp_path / "upstander.toml"
    file.write_text('[nudge]\ncountry = "GB"\nlanguage = "es"\n')
    assert load(file).nudge == NudgeSettings("GB", "es")
    file.write_text('[nudge]\ncuntry = "GB"\n')
    with pytest.raises(SettingsError, match="Did you mean `country`"):
        load(file)
    assert set(shipped().directory.countries) >= {"GB", "IE", "US", "CA", "AU", "NZ", "DE", "AT", "CH", "FR", "ES"}
