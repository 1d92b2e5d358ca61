"""A sentence model fine-tuned on the packs' examples: reads a line as a whole, where n-grams only see parts of it.

MiniLM (Wang et al. 2020; Apache-2.0), three of its six layers, trained further by scripts/train_classifier.py and
quantised to eight bits. It runs on ONNX Runtime in one thread. Floating-point sums may differ in the last digits
between kinds of processors, so scores are rounded, and what a few fixed lines score here is part of the model's name: a
journal written on a machine that computes otherwise is not taken for one that can be replayed here.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from importlib.resources import files
from typing import Any

import msgspec

from upstander.detect.embedding import Missing

FILE = "classifier.onnx"
TOKENIZER = "classifier-tokenizer.json"
#: A longer line is cut.
MAX_TOKENS = 48
#: Scores are rounded to this many nats.
STEP = 0.05
#: Lines whose scores show how this machine computes.
PROBES = (
    "hi",
    "are your parents home",
    "what song is this",
    "dont tell anyone add me on the other app",
    "nice drawing",
    "do a spin and ill send a gift",
    "how old are you",
    "see you at the match tomorrow",
)


class Classifier:
    """How much likelier a line shows each tactic than none: log odds (nats, uncalibrated), a list in the order of
    ``paraphrase.TACTICS``. ``model`` names the model, ``hash`` the model and how this machine computes it (SHA-256)."""

    def __init__(self, model: bytes, tokenizer: bytes) -> None:
        try:
            import numpy
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise Missing(f"{error.name} is not installed. Install upstander[paraphrase].") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._np = numpy
        self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._tokenizer: Any = Tokenizer.from_str(tokenizer.decode())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self.model = hashlib.sha256(model + tokenizer).hexdigest()
        probed = msgspec.json.encode([self.scores(line) for line in PROBES])
        self.hash = hashlib.sha256(self.model.encode() + probed).hexdigest()

    def scores(self, text: str) -> list[float]:
        """The scores of one line, as the model reads lines (``paraphrase.plain``)."""
        ids = self._tokenizer.encode(text).ids
        (found,) = self._session.run(None, {"ids": self._np.array([ids], dtype=self._np.int64)})
        steps: list[int] = self._np.rint(found[0] / STEP).astype(int).tolist()
        return [round(step * STEP, 2) for step in steps]


@functools.cache
def why_missing() -> str:
    """Why the classifier cannot run here, with the fix; empty when it can."""
    missing = [name for name in ("numpy", "onnxruntime", "tokenizers") if not importlib.util.find_spec(name)]
    return f"{', '.join(missing)} not installed. Install upstander[paraphrase]." if missing else ""


@functools.cache
def bundled() -> Classifier:
    """The one classifier of this process. Raises ``Missing``."""
    folder = files("upstander.packs")
    return Classifier((folder / FILE).read_bytes(), (folder / TOKENIZER).read_bytes())
