"""Sentence vectors from the word vectors in the ``wordllama`` wheel. Whole numbers only: the same on any machine.

Read with ``safetensors`` and ``tokenizers`` straight from the wheel's files, because wordllama's own loader looks for
them on a hub. Licence of code and weights: MIT (Miller, 2024).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upstander.detect.cache import keep, kept

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
#: Of 256: the model was trained so that the first ones carry most of the meaning (Matryoshka representation learning).
#: On the packs' examples, 64 tell tactics from benign twins as well as all of them, at a quarter of the cost.
DIMENSIONS = 64
#: Vectors have whole components of at most this; their scalar products (at most 64 x 127 x 127) are exact in
#: single precision, in whatever order a processor adds them.
SCALE = 127
#: A longer text is cut: what a chat line means stands in its first words.
MAX_TOKENS = 64


class Missing(RuntimeError):
    """The model, or a library that reads it, is not installed."""


def _folder() -> Path:
    spec = importlib.util.find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise Missing("wordllama is not installed. Install upstander[paraphrase].")
    return Path(spec.origin).parent


class Embedder:
    """Turns texts into vectors of ``DIMENSIONS`` whole numbers between -127 and 127, of (nearly) equal length."""

    def __init__(self) -> None:
        try:
            import numpy
            from safetensors.numpy import load_file
            from tokenizers import Tokenizer
        except ImportError as error:
            raise Missing(f"{error.name} is not installed. Install upstander[paraphrase].") from None
        folder = _folder()
        for name in (WEIGHTS, TOKENIZER):
            if not (folder / name).is_file():
                raise Missing(f"{folder / name} is not there. Install wordllama 0.4.0.post1, whose wheel holds it.")
        self._np = numpy
        vectors = next(iter(load_file(folder / WEIGHTS).values()))[:, :DIMENSIONS].astype(numpy.float64)
        #: int16: a sum of MAX_TOKENS of them is exact.
        self._vectors = numpy.rint(vectors * (32_000 / numpy.abs(vectors).max())).astype(numpy.int16)
        self._tokenizer: Any = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        data = (folder / WEIGHTS).read_bytes() + (folder / TOKENIZER).read_bytes()
        #: SHA-256 of weights and tokenizer.
        self.hash = hashlib.sha256(data).hexdigest()

    def one(self, text: str) -> NDArray[np.float32]:
        """The vector of one text, float32 [DIMENSIONS] holding whole numbers."""
        return self._vector(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def many(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts, float32 [len(texts), DIMENSIONS]."""
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        out: NDArray[np.float32] = self._np.zeros((len(texts), DIMENSIONS), dtype=self._np.float32)
        for row, entry in enumerate(encoded):
            out[row] = self._vector(entry.ids)
        return out

    def many_kept(self, texts: Sequence[str], folder: Path | None) -> NDArray[np.float32]:
        """As ``many``; what was made of the same texts before is taken from the cache ``folder``."""
        if folder is None:
            return self.many(texts)
        numpy = self._np
        name = hashlib.sha256("\n".join([self.hash, *texts]).encode("utf-8", "replace")).hexdigest()
        path = folder / f"vectors-{name[:32]}.bin"
        data = kept(path)
        if data is not None and len(data) == len(texts) * DIMENSIONS:
            whole: NDArray[np.float32] = numpy.frombuffer(data, dtype=numpy.int8).astype(numpy.float32)
            return whole.reshape(-1, DIMENSIONS)
        vectors = self.many(texts)
        keep(path, vectors.astype(numpy.int8).tobytes())
        return vectors

    def _vector(self, ids: list[int]) -> NDArray[np.float32]:
        numpy = self._np
        vector: NDArray[np.float32] = numpy.zeros(DIMENSIONS, dtype=numpy.float32)
        if ids:
            summed = self._vectors[ids].sum(axis=0, dtype=numpy.int64)
            length = int(summed @ summed)
            if length:
                vector = numpy.rint(summed * (SCALE / length**0.5)).astype(numpy.float32)
        return vector


@functools.cache
def bundled() -> Embedder:
    """The one embedder of this process. Raises ``Missing``."""
    return Embedder()
