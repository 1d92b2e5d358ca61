"""Voices and words: where somebody speaks, whose track it is, what becomes of speech that comes too fast."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from watch_support import spoken, tone

from upstander.model.events import AnyEvent
from upstander.watch.analyst import Analyst, Models, Said
from upstander.watch.messages import RATE, Sound
from upstander.watch.speech import Heard, Recogniser
from upstander.watch.voice import LONGEST_MS, Utterance, Voice, VoiceModel


def heard(pcm: bytes, model: VoiceModel, piece: int = RATE) -> list[Utterance]:
    voice, found = Voice(model, 0), []
    for at in range(0, len(pcm) // 2, piece):
        found += voice.hear(pcm[at * 2 : (at + piece) * 2], at * 1_000 // RATE)
    last = voice.end()
    return found + ([last] if last else [])


def test_voices_are_found_and_tones_and_silence_are_none(tmp_path: Path) -> None:
    model = VoiceModel()
    silence = np.zeros(2 * RATE, np.int16)
    said = spoken("welcome to the garden", tmp_path)[::3]
    track = np.concatenate([silence, said, silence, said, silence]).astype("<i2").tobytes()
    found = heard(track, model)
    assert len(found) == 2
    assert 1_500 <= found[0].offset_ms <= 3_200
    assert found[1].offset_ms > found[0].offset_ms + 2_000
    # However it is cut into pieces, it is the same.
    again = heard(track, model, 3_777)
    assert [each.offset_ms for each in again] == pytest.approx([each.offset_ms for each in found], abs=5)
    assert [len(each.samples) for each in again] == [len(each.samples) for each in found]
    assert heard(silence.tobytes(), model) == []
    assert heard(tone(5)[::3].astype("<i2").tobytes(), model) == []


def test_who_speaks_without_end_is_cut(tmp_path: Path) -> None:
    said = spoken("one two three four five six seven eight nine ten", tmp_path, speed=170)[::3]
    middle = said[RATE // 2 : -RATE // 2]
    found = heard(np.tile(middle, 10).astype("<i2").tobytes(), VoiceModel())
    assert len(found) >= 2
    assert max(each.seconds for each in found) <= LONGEST_MS / 1_000 + 0.5


class Model:
    """Stands for the speech model: says how long it was spoken to, when it is let."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def transcribe(self, samples: Any, **_: Any) -> tuple[list[Any], Any]:
        assert self.go.wait(30)

        class Segment:
            text = f"for {len(samples) // RATE} seconds"
            no_speech_prob, avg_logprob, compression_ratio = 0.1, -0.2, 1.0

        class About:
            language = "en"

        return [Segment()], About()


def test_the_oldest_is_dropped_when_speech_comes_too_fast() -> None:
    model, texts = Model(), []
    recogniser = Recogniser(model, waiting_s=10.0)
    for seconds in range(1, 9):
        utterance = Utterance(0, 0, np.zeros(seconds * RATE, np.float32))
        recogniser.put(utterance, lambda said, _: texts.append(said.text))
    assert recogniser.dropped_s > 0
    assert recogniser.waiting_s <= 10.0
    model.go.set()
    recogniser.close()
    assert texts[-1] == "for 8 seconds"
    assert 1 <= len(texts) < 8  # the first one may have been taken up before it could be dropped


def test_a_recogniser_that_is_closed_at_once_forgets_what_waits() -> None:
    model = Model()
    recogniser, said = Recogniser(model), []
    for _ in range(5):
        recogniser.put(Utterance(0, 0, np.zeros(RATE, np.float32)), lambda heard, _: said.append(heard))
    model.go.set()
    recogniser.close(finish=False)
    assert len(said) <= 5
    assert recogniser.waiting_s == 0


class Fixed(Recogniser):
    """Hears the same in every utterance."""

    def __init__(self) -> None:
        pass

    def put(self, utterance: Utterance, done: Any) -> None:
        done(Heard("hello there", 0.9, "en"), 0.0)


@pytest.mark.parametrize(
    ("titles", "speakers"),
    [
        (["aac"], {0: "unknown"}),
        (["aac", "opus"], {0: "host", 1: "other"}),
        (["guest", "Host", "music"], {0: "other", 1: "host", 2: "other"}),
    ],
)
def test_the_track_says_who_speaks(titles: list[str], speakers: dict[int, str], tmp_path: Path) -> None:
    events: list[AnyEvent] = []
    said: list[Said] = []
    analyst = Analyst("b1", Models(None, None, VoiceModel(), Fixed()), events.append, said.append, live=False)
    analyst.opened(titles)
    words = spoken("welcome to the garden", tmp_path)[::3].astype("<i2").tobytes()
    for track in speakers:
        analyst.sound(Sound(track, 0, 0, words))
        analyst.sound(Sound(track, 3_000, 0, bytes(4 * RATE)))
    assert [words.event.speaker for words in said] == list(speakers.values())
    assert len({words.event.id for words in said}) == len(said)
    assert events == []
