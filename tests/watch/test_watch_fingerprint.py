"""Audio fingerprints: the same sound gives nearly the same, another sound another; they are gone after their time."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from upstander.watch.analyst import Analyst, Models
from upstander.watch.errors import WatchError
from upstander.watch.fingerprint import DAY_MS, PIECE_S, Print, Printer, Prints, library
from upstander.watch.messages import RATE, Sound

try:
    chromaprint = library()
except WatchError as missing:
    if os.environ.get("CI") == "true":
        raise
    pytest.skip(str(missing), allow_module_level=True)


def tune(seed: int, seconds: int = PIECE_S, level: float = 6_000.0) -> bytes:
    """Notes, half a second each, other ones for each seed."""
    chance = np.random.default_rng(seed)
    notes = 220.0 * 2 ** (chance.integers(0, 24, seconds * 2) / 12)
    phase = np.cumsum(np.repeat(notes, RATE // 2)) * 2 * np.pi / RATE
    return (np.sin(phase) * level).astype("<i2").tobytes()


def prints(pcm: bytes) -> list[Print]:
    printer, made = Printer(), []
    for at in range(0, len(pcm), RATE * 2):
        found = printer.hear(pcm[at : at + RATE * 2], at * 1_000 // (RATE * 2))
        made += [found] if found else []
    last = printer.end()
    return made + ([last] if last else [])


def apart(one: Print, other: Print) -> float:
    """The share of bits that differ."""
    first, second = (np.array(chromaprint.decode_fingerprint(p.text.encode())[0], np.uint32) for p in (one, other))
    length = min(len(first), len(second))
    return float(np.unpackbits((first[:length] ^ second[:length]).view(np.uint8)).mean())


def test_the_same_sound_is_known_again_and_another_is_not() -> None:
    first = prints(tune(1))[0]
    noise = np.random.default_rng(9).normal(0, 200, RATE * PIECE_S)
    again = (np.frombuffer(tune(1, level=3_000.0), "<i2") + noise).astype("<i2").tobytes()
    assert apart(first, prints(again)[0]) < 0.15
    assert apart(first, prints(tune(2))[0]) > 0.3


def test_one_for_each_thirty_seconds_and_none_for_a_moment() -> None:
    assert [made.offset_ms for made in prints(tune(3, 75))] == [0, 30_000, 60_000]
    assert prints(tune(3, 5)) == []


def test_an_analyst_hands_them_on() -> None:
    made: list[Print] = []
    analyst = Analyst("b1", Models(), lambda _: None, lambda _: None, live=False, printed=made.append)
    pcm = tune(4, 31)
    for second in range(31):
        analyst.sound(Sound(0, second * 1_000, 0, pcm[second * RATE * 2 : (second + 1) * RATE * 2]))
        analyst.sound(Sound(1, second * 1_000, 0, bytes(RATE * 2)))
    assert [each.offset_ms for each in made] == [0]


def test_they_are_gone_after_their_time(tmp_path: Path) -> None:
    kept = Prints(tmp_path / "data" / "prints.sqlite3", 30)
    kept.add("mysite", "b1", 0, Print(0, "AQAA"))
    kept.add("mysite", "b1", DAY_MS, Print(30_000, "AQAB"))
    assert [made.offset_ms for made in kept.of("mysite", "b1")] == [0, 30_000]
    assert kept.expire(30 * DAY_MS) == 1
    assert [made.text for made in kept.of("mysite", "b1")] == ["AQAB"]
    kept.close()
