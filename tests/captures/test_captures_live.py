"""Live frames against banks: what agrees for long enough is a rebroadcast, what does not is at most a hint."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from captures_support import NOW, banks_in, frames_of, noisy, random_words, settings_in

from support import assert_whole, bearer, entries, event, make_key, serve, started, until
from upstander.captures import common, follow
from upstander.captures.banks import OWN, Value
from upstander.captures.bits import Words, hex_of, mirrored
from upstander.captures.live import Finding, Rolling
from upstander.captures.matching import Matcher
from upstander.captures.recorded import Recorded
from upstander.captures.values import Feature, Kind, written
from upstander.journal import store as journal
from upstander.journal.entries import Entry, reference
from upstander.journal.entries import Kind as Sort

VIDEO = random_words(60, 8)


def sequence(words: Words) -> str:
    return written([Feature(hex_of(one), 90, float(second)) for second, one in enumerate(words)])


@pytest.fixture
def rolling(tmp_path: Path) -> Rolling:
    banks = banks_in(tmp_path)
    banks.make("known", "ann")
    values = [Value(Kind.VPDQ, sequence(VIDEO)), Value(Kind.PDQ, hex_of(random_words(1, 99)[0]))]
    banks.take_in("known", values, OWN)
    return Rolling(Matcher(banks))


def said(findings: list[Finding]) -> list[tuple[str, int, int]]:
    return [(one.what, one.offset_ms, one.capture_offset_ms) for one in findings]


@pytest.mark.parametrize("change", [lambda words: noisy(words, 25), lambda words: noisy(mirrored(words), 20)])
@pytest.mark.parametrize("from_second", [0, 37])
def test_a_known_capture_is_a_rebroadcast_within_seconds(rolling: Rolling, change: object, from_second: int) -> None:
    before = frames_of(random_words(10, 3))
    shown = frames_of(change(VIDEO[from_second : from_second + 20]), start_ms=10_000)  # type: ignore[operator]
    findings = [found for frame in (*before, *shown) for found in rolling.observe([frame])]
    start = from_second * 1000
    assert said(findings) == [("known_capture", 10_000, start), ("rebroadcast", 12_000, start + 2000)]
    assert (findings[1].frames, findings[1].seconds) == (3, 2.0)


@pytest.mark.parametrize("speed", [0.95, 1.05])
def test_at_another_speed_too(rolling: Rolling, speed: float) -> None:
    shown = [VIDEO[int(second * speed)] for second in range(30)]
    findings = rolling.observe(frames_of(np.stack(shown)))
    assert [one.what for one in findings] == ["known_capture", "rebroadcast"]


def test_one_picture_that_stands_still_is_only_a_hint(rolling: Rolling) -> None:
    findings = rolling.observe(frames_of(np.repeat(VIDEO[:1], 60, axis=0)))
    assert said(findings) == [("known_capture", 0, 0)]


def test_frames_in_no_order_of_the_capture_are_only_a_hint(rolling: Rolling) -> None:
    shuffled = np.random.default_rng(0).permutation(60)
    found = rolling.observe(frames_of(VIDEO[shuffled][:20], step_ms=7000))
    assert [one.what for one in found] == ["known_capture"]


def test_a_picture_of_an_image_bank_is_only_a_hint_and_poor_frames_are_nothing(rolling: Rolling) -> None:
    image = np.repeat(random_words(1, 99), 9, axis=0)
    assert [one.what for one in rolling.observe(frames_of(noisy(image, 20)))] == ["known_capture"]
    assert rolling.observe(frames_of(VIDEO[:9], "b2", quality=40)) == []


def test_common_frames_are_learned_from_broadcasts_and_ignored(tmp_path: Path) -> None:
    kept = Recorded(tmp_path)
    waiting = random_words(1, 50)[0]
    with kept.transaction():
        for number in range(6):
            own = random_words(20, 100 + number)
            own[10] = noisy(waiting[None], 4, number)[0]
            own[11] = VIDEO[5]
            kept.add(frames_of(own, f"b{number}"))
    banks = banks_in(tmp_path / "banks")
    banks.make("known", "ann")
    banks.take_in("known", [Value(Kind.VPDQ, sequence(VIDEO))], OWN)
    matcher = Matcher(banks)
    assert common.learn(kept, matcher, NOW + 10_000_000, broadcasts=5) == 1
    assert common.learn(kept, matcher, NOW + 10_000_000, broadcasts=5) == 0  # each broadcast is looked at once
    (learned,) = common.common(kept)
    banks.take_in("known", [Value(Kind.PDQ, hex_of(waiting))], "partner")
    matcher.refresh()
    ignoring, not_ignoring = Rolling(matcher, common=learned[None]), Rolling(matcher)
    shown = frames_of(np.stack([waiting, *VIDEO[:4]]))
    assert [one.what for one in ignoring.observe(shown)] == ["known_capture", "rebroadcast"]
    assert len(not_ignoring.observe(shown)) == 3


def frame_events(words: Words, broadcast: str = "b1", **more: object) -> list[dict[str, object]]:
    return [
        event("frame", f"f{n}", broadcast, offset_ms=1000 * n, pdq=hex_of(one), quality=95, **more)
        for n, one in enumerate(words)
    ]


def written_journal(path: Path, events: list[dict[str, object]]) -> None:
    connection = journal.open_store(path)
    made = []
    for one in events:
        key = reference("p", str(one["broadcast"]), str(one["id"]))
        made.append(Entry(Sort.EVENT, json.dumps(one).encode(), NOW, "p", str(one["broadcast"]), key))
    journal.write(connection, journal.head(connection), made, [])
    connection.close()


def test_the_follower_takes_up_each_frame_once_wherever_it_is_stopped(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    written_journal(settings.journal_path, frame_events(VIDEO)[:20])
    banks = banks_in(tmp_path)
    banks.make("known", "ann")
    banks.take_in("known", [Value(Kind.VPDQ, sequence(VIDEO))], OWN)
    kept = Recorded(tmp_path / "captures")
    for number in range(3):
        if number == 1:  # a new process, which knows nothing of what the last one said
            written_journal(settings.journal_path, frame_events(VIDEO)[20:])
        follower = follow.Follower(settings, kept, Rolling(Matcher(banks)))
        follower.catch_up()
        follower.tidy(NOW)
        follower.close()
    assert kept.counts() == (1, 60)
    waiting = [json.loads(row[0]) for row in kept.connection.execute("SELECT body FROM matches ORDER BY id")]
    assert [one["what"] for one in waiting] == ["known_capture", "rebroadcast"]
    assert len({one["id"] for one in waiting}) == 2


def test_another_journal_is_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    written_journal(settings.journal_path, frame_events(VIDEO))
    kept = Recorded(tmp_path / "captures")
    follow.Follower(settings, kept, None).catch_up()
    settings.journal_path.unlink()
    for side in ("-wal", "-shm"):
        settings.journal_path.with_name(settings.journal_path.name + side).unlink(missing_ok=True)
    written_journal(settings.journal_path, frame_events(random_words(60, 4)))
    with pytest.raises(follow.CaptureError, match="not the one that was followed"):
        follow.Follower(settings, kept, None).catch_up()


def test_the_service_recognises_a_rebroadcast_and_the_journal_replays_without_the_bank(tmp_path: Path) -> None:
    key = make_key(tmp_path / "data")
    banks = banks_in(tmp_path / "data")
    banks.make("known", "ann")
    banks.take_in("known", [Value(Kind.VPDQ, sequence(VIDEO))], OWN)
    banks.close()
    with serve(tmp_path, "[captures]\nenabled = true\n") as served:
        events = [started(), *frame_events(noisy(VIDEO[20:30], 15))]
        answer = httpx.post(f"{served.url}/v1/events", json=events, headers=bearer(key), timeout=30)
        assert answer.json()["accepted"] == len(events)

        def decided() -> list[dict[str, object]]:
            found = [json.loads(placed.entry.body) for placed in entries(served.journal, "decision")]
            return [one for one in found if str(one["event"]).startswith("capture-")]

        decisions = until(lambda: decided() if len(decided()) == 2 else None, "two decisions")
        served.stop()
    assert [one["level"] for one in decisions] == ["notice", "urgent"]
    assert [one["do"] for one in decisions[1]["interventions"]] == ["call_moderator"]  # type: ignore[attr-defined]
    assert decisions[1]["reasons"][0]["what"] == "rebroadcast"  # type: ignore[index]
    for path in (tmp_path / "data" / "captures").iterdir():
        path.unlink() if path.is_file() else None
    assert_whole(served.journal)
