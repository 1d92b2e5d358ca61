"""Where in a track somebody speaks: pieces of sound in, utterances out. What was said is in ``speech``.

The model: silero VAD v6 (MIT), the ONNX copy in the faster-whisper wheel, run with onnxruntime; its authors trained it
on a large multilingual corpus that they do not publish. It tells speech from no speech, not one voice from another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from upstander.watch.errors import WatchError
from upstander.watch.messages import RATE

WINDOW, CONTEXT = 512, 64
WINDOW_MS = WINDOW * 1000 // RATE
#: Speech begins above the first probability and goes on above the second.
BEGIN, GO_ON = 0.5, 0.35
#: A pause this long ends an utterance; so does this length. What is shorter than the last is no speech.
PAUSE_MS, LONGEST_MS, SHORTEST_MS = 600, 14_000, 250
#: Kept before and after, or the recogniser misses first and last sounds.
PAD_MS = 200

Samples = NDArray[np.float32]


class Utterance(msgspec.Struct):
    """Some seconds in which somebody spoke. ``offset_ms``: where it begins in the stream."""

    track: int
    offset_ms: int
    samples: Samples

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / RATE


class VoiceModel:
    """The model's session; one serves all tracks. Thread-safe."""

    def __init__(self) -> None:
        """Raises ``WatchError`` when it is not installed."""
        try:
            import faster_whisper
            import onnxruntime
        except ImportError:
            raise WatchError("hearing speech needs packages. Run: pip install 'upstander[watch]'") from None
        file = Path(faster_whisper.__file__).parent / "assets" / "silero_vad_v6.onnx"
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise WatchError(f"the voice model {file} cannot be loaded ({error}).") from None

    def run(self, windows: Samples, state: tuple[Any, Any]) -> tuple[Samples, tuple[Any, Any]]:
        """Probabilities of speech for windows ``(n, 576)``, and the state to go on from."""
        found, h, c = self._session.run(None, {"input": windows, "h": state[0], "c": state[1]})
        return np.asarray(found, np.float32).ravel(), (h, c)


class Voice:
    """One track: keeps the model's state between pieces."""

    def __init__(self, model: VoiceModel, track: int) -> None:
        self._model, self._track = model, track
        zero = np.zeros((1, 1, 128), np.float32)
        self._state: tuple[Any, Any] = (zero, zero.copy())
        self._context = np.zeros(CONTEXT, np.float32)
        self._rest = np.zeros(0, np.float32)
        self._heard: list[Samples] = []
        self._before: list[Samples] = []
        self._speaking, self._silent_ms, self._offset, self._spoken_ms = False, 0, 0.0, 0

    def hear(self, pcm: bytes, offset_ms: int) -> list[Utterance]:
        """The utterances that ended within this piece (16-bit, 16 kHz)."""
        new = np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float32) / 32_768
        whole = np.concatenate([self._rest, new])
        count = len(whole) // WINDOW
        start_ms = offset_ms - len(self._rest) * 1000 / RATE
        self._rest = whole[count * WINDOW :]
        if not count:
            return []
        windows = whole[: count * WINDOW].reshape(count, WINDOW)
        before = np.concatenate([self._context[None, :], windows[:-1, -CONTEXT:]])
        self._context = windows[-1, -CONTEXT:]
        chances, self._state = self._model.run(np.concatenate([before, windows], axis=1), self._state)
        done = []
        for number, (window, chance) in enumerate(zip(windows, chances, strict=True)):
            ended = self._step(window, float(chance), start_ms + number * WINDOW_MS)
            if ended is not None:
                done.append(ended)
        return done

    def _step(self, window: Samples, chance: float, at_ms: float) -> Utterance | None:
        if not self._speaking:
            self._before = [*self._before, window][-(PAD_MS // WINDOW_MS) - 1 :]
            if chance < BEGIN:
                return None
            self._speaking, self._silent_ms, self._spoken_ms = True, 0, 0
            self._heard, self._before = self._before, []
            self._offset = at_ms - (len(self._heard) - 1) * WINDOW_MS
        else:
            self._heard.append(window)
        if chance >= GO_ON:
            self._silent_ms = 0
            self._spoken_ms += WINDOW_MS
        else:
            self._silent_ms += WINDOW_MS
        if self._silent_ms >= PAUSE_MS or len(self._heard) * WINDOW_MS >= LONGEST_MS:
            return self.end()
        return None

    def end(self) -> Utterance | None:
        """End what is being said, if anything is."""
        if not self._speaking:
            return None
        cut = max(0, (self._silent_ms - PAD_MS) // WINDOW_MS)
        heard = self._heard[: len(self._heard) - cut] if cut else self._heard
        self._speaking, self._heard = False, []
        if self._spoken_ms < SHORTEST_MS:
            return None
        return Utterance(self._track, max(0, int(self._offset)), np.concatenate(heard))
