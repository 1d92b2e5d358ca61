"""Spoken pressure beside the written line: fifty mild sentences by espeak-ng, through the voice and speech models.

Limit: at least 80% of the sentences that reach ``notice`` when written reach it when spoken (by somebody who is known
not to be the host; where nobody can tell who speaks, words count half, and that share is printed as well). Printed too:
word error rate, whether a tactic of the written line is shown, false alarms on spoken harmless lines, speed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from common import ROOT, emit
from upstander.gateway.configuration import configuration_of
from upstander.model.decision import Decision
from upstander.model.events import BroadcastStarted, Comment, Speech
from upstander.model.vocabulary import AgeBand, Level
from upstander.runtime import Runtime
from upstander.settings import Settings
from upstander.watch.messages import RATE
from upstander.watch.speech import Heard, load_model, transcribe
from upstander.watch.voice import Utterance, Voice, VoiceModel

LINES = (ROOT / "benchmarks/speech_lines.txt").read_text(encoding="utf-8").splitlines()
HARMLESS = (ROOT / "benchmarks/speech_harmless.txt").read_text(encoding="utf-8").splitlines()
VOICES = (("en-us", 140),)


def sound(text: str, voice: str, speed: int, folder: Path) -> np.ndarray:
    """16 kHz, 16-bit, a second of silence around it."""
    file = folder / "said.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-w", str(file), text], check=True)
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(str(file)) as found:
        pieces = [p.to_ndarray()[0] for frame in found.decode(audio=0) for p in resampler.resample(frame)]
    silence = np.zeros(RATE, np.int16)
    return np.concatenate([silence, *pieces, silence])


class Ear:
    """The path of a track in the watcher: seconds through the voice model, utterances through the speech model."""

    def __init__(self) -> None:
        self.voice, self.model = VoiceModel(), load_model()
        self.voice_s = self.speech_s = self.heard_s = 0.0

    def hear(self, samples: np.ndarray) -> list[Heard]:
        voice, done = Voice(self.voice, 0), []
        for at in range(0, len(samples), RATE):
            began = time.process_time()
            done += voice.hear(samples[at : at + RATE].tobytes(), at * 1000 // RATE)
            self.voice_s += time.process_time() - began
        last = voice.end()
        return [heard for each in [*done, *([last] if last else [])] if (heard := self._words(each))]

    def _words(self, utterance: Utterance) -> Heard | None:
        began = time.process_time()
        heard = transcribe(self.model, utterance)
        self.speech_s += time.process_time() - began
        self.heard_s += utterance.seconds
        return heard


def words(text: str) -> list[str]:
    text = text.lower().replace("don't", "do not").replace("let's", "let us").replace("i'll", "i will")
    text = (
        text.replace("i'm", "i am")
        .replace("you're", "you are")
        .replace("what's", "what is")
        .replace("won't", "will not")
    )
    return re.findall(r"[a-z0-9']+", text)


def errors(truth: list[str], heard: list[str]) -> int:
    """Words put in, left out or changed."""
    row = list(range(len(heard) + 1))
    for i, one in enumerate(truth, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


class Judge:
    """Each line in a broadcast of its own, to a host of 10 to 12."""

    def __init__(self) -> None:
        self.runtime = Runtime(configuration_of(Settings()))
        self.count = 0

    def written(self, text: str) -> Decision | None:
        return self._observe([Comment(id="c", at=2, broadcast=self._start(), actor="v", text=text)])

    def spoken(self, heard: list[Heard], speaker: str) -> Decision | None:
        broadcast = self._start()
        told = {"broadcast": broadcast, "speaker": speaker}
        events = [
            Speech(id=f"s{n}", at=2 + n, text=e.text, confidence=e.confidence, **told) for n, e in enumerate(heard)
        ]
        return self._observe(events)

    def _start(self) -> str:
        self.count += 1
        name = f"b{self.count}"
        self.runtime.observe(
            "", BroadcastStarted(id="s", at=1, broadcast=name, host="h", host_age_band=AgeBand.FROM_10_TO_12)
        )
        return name

    def _observe(self, events: list[Comment] | list[Speech]) -> Decision | None:
        found = [decision for event in events if (decision := self.runtime.observe("", event)) is not None]
        return max(found, key=lambda decision: Level[decision.level.upper()], default=None)


def reaches(decision: Decision | None) -> bool:
    return decision is not None and Level[decision.level.upper()] >= Level.NOTICE


def main() -> None:
    if shutil.which("espeak-ng") is None:
        raise SystemExit("espeak-ng is not installed: scripts/apt.sh espeak-ng")
    ear, judge = Ear(), Judge()
    wrong = total = told = unknown = same = fired = harmless = missed = 0
    with tempfile.TemporaryDirectory() as name:
        for voice, speed in VOICES:
            for line in LINES:
                written = judge.written(line)
                heard = ear.hear(sound(line, voice, speed, Path(name)))
                truth = words(line)
                wrong += errors(truth, words(" ".join(each.text for each in heard)))
                total += len(truth)
                missed += not heard
                if not reaches(written):
                    continue
                assert written is not None
                fired += 1
                spoken = judge.spoken(heard, "other")
                told += reaches(spoken)
                same += spoken is not None and bool(set(spoken.tactics) & set(written.tactics))
                unknown += reaches(judge.spoken(heard, "unknown"))
            for line in HARMLESS:
                harmless += reaches(judge.spoken(ear.hear(sound(line, voice, speed, Path(name))), "other"))
    recovered = told / fired
    emit(
        "speech",
        {"at least 80% recovered": recovered >= 0.8, "at least 50 written lines reach notice": fired >= 50},
        sentences=len(LINES),
        voices=[voice for voice, _ in VOICES],
        written_at_notice=fired,
        recovered=round(recovered, 3),
        recovered_speaker_unknown=round(unknown / fired, 3),
        same_tactic=round(same / fired, 3),
        word_error_rate=round(wrong / total, 3),
        nothing_heard=missed,
        harmless_at_notice=f"{harmless} of {len(HARMLESS) * len(VOICES)}",
        voice_times_real_time=round(ear.heard_s / ear.voice_s),
        speech_times_real_time=round(ear.heard_s / ear.speech_s, 1),
    )


if __name__ == "__main__":
    main()
