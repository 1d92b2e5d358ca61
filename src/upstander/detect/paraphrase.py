"""Second thoughts: a small trained model for lines that no pattern knows, run only where the cheap tier leaves doubt.

Three scores a tactic: a linear model over character n-grams, how much nearer a line lies to examples of the tactic
than to benign ones, and a sentence model that reads it as a whole (``classifier``). The first two are whole-number
arithmetic up to the last few operations (+, -, *, /, sqrt), so they are the same bits on every machine; what the third
does about that is said there. The nearest examples are the explanation.
"""

from __future__ import annotations

import bisect
import functools
import hashlib
import importlib.util
import itertools
import zlib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from upstander.detect import classifier as sentences
from upstander.detect.cache import cache_folder
from upstander.detect.classifier import Classifier
from upstander.detect.embedding import SCALE, Embedder, Missing
from upstander.detect.embedding import bundled as bundled_embedder
from upstander.detect.memory import Memory
from upstander.model.vocabulary import Tactic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Character n-grams of these lengths, and words and word pairs, are hashed into so many buckets.
GRAMS = (3, 4, 5)
BUCKETS = 1 << 14
#: The linear model's weights are int16 in units of this.
UNIT = 1 / 1024
#: How many neighbours on each side make the contrast.
NEIGHBOURS = 3
#: A line that would have to lie nearer to its tactic than this to be reported is not compared at all: none does.
MAX_CONTRAST = 0.5
#: What a paraphrase may say at most, in nats: less than a clear pattern, for it is a guess. Alone it raises a notice
#: for a child's broadcast, and none where the host's age is unknown.
MAX_STRENGTH = 1.6
#: And beside a pattern: less than the policy that ships takes for seen, and no more than a weak pattern lacks to a
#: notice where the host's age is unknown.
MAX_BESIDE = 0.7
#: The ratio (nats) from which a tactic is reported that no pattern saw.
LEAST = 4.5
#: A tactic is no guess of its own when another is likelier by more than this (log odds; 4 is 50 to 1).
MARGIN = 4.0
#: By how much it may weigh a pattern down: only so far, for benign words could be added on purpose. It weighs none up.
MAX_DOWN = 3.0
MAX_DOWN_AGREED = 0.5
#: Where a paraphrase's signals say they come from.
SOURCE = "paraphrase"
#: Log odds, by its words alone, from which a line is worth a second thought: above even; of a suspected viewer, below;
#: made of what two viewers wrote, which nearly every line can be, well above.
DOUBT = 0.25
SUSPECTED_DOUBT = -1.0
SHARED_DOUBT = 1.5
#: Lines shorter than this many words, or longer than this many characters, are not guessed at.
MIN_WORDS = 3
MAX_CHARACTERS = 300

TACTICS: tuple[str, ...] = tuple(str(tactic) for tactic in Tactic)


class Found(msgspec.Struct, frozen=True, gc=False):
    """How far a line paraphrases a tactic: a log-likelihood ratio (nats), and the example of it that lies nearest.

    ``enough``: the ratio is high enough for the tactic to be reported although no pattern knows the line.
    """

    tactic: Tactic
    ratio: float
    neighbour: str
    enough: bool


class Parameters(msgspec.Struct, frozen=True):
    """What training settles beside the weights; lists have one entry a tactic, in the order of ``TACTICS``.

    ``mix`` holds ``(bias, weight of the linear score, of the contrast, of the classifier's score)``: their sum is taken
    for a log-likelihood ratio (nats). ``cues`` are words
    and word pairs with what each says for and against the tactics, as ``(tactic, log odds)``; ``cue_bias`` the log odds
    of each tactic without any word.
    """

    mix: list[tuple[float, float, float, float]]
    cues: dict[str, list[tuple[int, float]]]
    cue_bias: list[float]
    neighbours: list[tuple[str, int]]
    trained_on: str
    embedder: str
    classifier: str


class _Spaces(dict[int, int]):
    """A ``str.translate`` table, filled as characters are met: what is in no word becomes a space."""

    def __missing__(self, code: int) -> int:
        self[code] = code if chr(code).isalnum() or code == 39 else 32
        return self[code]


_SPACES = _Spaces()


def words_of(text: str) -> list[str]:
    """The words of a view of a text as the model reads them: without punctuation, every number as ``0``."""
    return ["0" if word.isdigit() else word.strip("'") for word in text.translate(_SPACES).split()]


def plain(text: str) -> str:
    """A view of a text as the model reads it."""
    return " ".join(words_of(text))


def buckets(text: str) -> list[int]:
    """The buckets (sorted, each once) of a plain text's n-grams, words and word pairs."""
    padded = f" {text} "
    grams = {padded[i : i + n] for n in GRAMS for i in range(len(padded) - n + 1)}
    words = text.split()
    grams.update(f"w:{word}" for word in words)
    grams.update(f"p:{a} {b}" for a, b in itertools.pairwise(words))
    return sorted({zlib.crc32(gram.encode("utf-8", "replace")) % BUCKETS for gram in grams})


class ParaphraseModel:
    """A trained model, ready to read lines. ``hash`` names exactly this one (SHA-256 of its file)."""

    def __init__(self, data: bytes, embedder: Embedder, classifier: Classifier, cache: Path | None = None) -> None:
        """``cache``: where the examples' vectors are kept."""
        try:
            import numpy
            from safetensors.numpy import load
            from threadpoolctl import threadpool_limits
        except ImportError as error:
            raise Missing(f"{error.name} is not installed. Install upstander[paraphrase].") from None
        self._np = numpy
        # One line is too little work to share among threads: waking them takes longer than the work.
        threadpool_limits(1, user_api="blas")
        self._embedder, self.classifier = embedder, classifier
        self.hash = hashlib.sha256(data).hexdigest()
        tensors = load(data)
        self._weights: NDArray[np.int16] = tensors["weights"]
        self.parameters = msgspec.json.decode(tensors["parameters"].tobytes(), type=Parameters)
        if self.parameters.embedder != embedder.hash:
            raise Missing(
                "the word vectors are not those that the model was trained with: install wordllama 0.4.0.post1"
            )
        if self.parameters.classifier != classifier.model:
            raise Missing("the model was trained with another classifier: train it again (upstander learn train)")
        # Sorted by owner (benign first), so that each tactic's examples are one slice.
        self._examples = sorted(self.parameters.neighbours, key=lambda entry: entry[1])
        owners = [owner for _, owner in self._examples]
        self._vectors = embedder.many_kept([plain(text) for text, _ in self._examples], cache)
        self._slices = [
            slice(bisect.bisect_left(owners, tactic), bisect.bisect_right(owners, tactic))
            for tactic in range(-1, len(TACTICS))
        ]
        self._cue_words: dict[str, list[tuple[int, float]]] = {}
        self._cue_pairs: dict[str, dict[str, list[tuple[int, float]]]] = {}
        for cue, entries in self.parameters.cues.items():
            first, _, second = cue.partition(" ")
            if second:
                self._cue_pairs.setdefault(first, {})[second] = entries
            else:
                self._cue_words[first] = entries
        self._bias = self.parameters.cue_bias
        #: what was made of the lines that were read: doubtful ones are few, and many are written again
        self._read: Memory[list[float]] = Memory()

    def doubtful(self, text: str, least: float = DOUBT) -> bool:
        """Whether a view of a text is worth a second thought: cheap, run on every line that no pattern settles.

        ``least``: log odds from which it is.
        """
        if len(text) > MAX_CHARACTERS:
            return False
        words = words_of(text)
        if len(words) < MIN_WORDS:
            return False
        # What most lines lack is looked for first, and without putting pairs together that cannot be there.
        found: dict[int, list[tuple[int, float]]] = {}  # by identity: each counts once, however often it was said
        pairs = None
        for word in words:
            entries = self._cue_words.get(word)
            if entries is not None:
                found[id(entries)] = entries
            if pairs is not None:
                entries = pairs.get(word)
                if entries is not None:
                    found[id(entries)] = entries
            pairs = self._cue_pairs.get(word)
        if not found:
            return False
        sums = list(self._bias)
        for entries in found.values():
            for tactic, weight in entries:
                sums[tactic] += weight
        return max(sums) >= least

    def read(self, text: str, asked: frozenset[str] = frozenset()) -> list[Found]:
        """The tactics that a view of a text paraphrases, likeliest first, and those that were asked about."""
        line = plain(text)
        known = self._read.get(line)
        if known is None:
            linear, whole = linear_scores(self._weights, buckets(line)), self.classifier.scores(line)
            mix = enumerate(self.parameters.mix)
            known = [bias + a * linear[tactic] + c * whole[tactic] for tactic, (bias, a, _, c) in mix]
            self._read.keep(line, known)
        share = [b for _, _, b, _ in self.parameters.mix]
        possible = [
            tactic
            for tactic, ratio in enumerate(known)
            if ratio + abs(share[tactic]) * MAX_CONTRAST >= LEAST or TACTICS[tactic] in asked
        ]
        if not possible:
            return []
        vector = self._embedder.one(line)
        benign = self._top_mean(self._vectors[self._slices[0]] @ vector)
        found = []
        for tactic in possible:
            own = self._vectors[self._slices[tactic + 1]] @ vector
            if not len(own):
                continue
            ratio = known[tactic] + share[tactic] * (self._top_mean(own) - benign)
            enough = ratio >= LEAST
            if enough or TACTICS[tactic] in asked:
                neighbour = self._examples[self._slices[tactic + 1].start + int(own.argmax())][0]
                found.append(Found(Tactic(TACTICS[tactic]), ratio, neighbour, enough))
        found.sort(key=lambda item: -item.ratio)
        # Each ratio is against benign alone: what is harmful in one way raises all of them. Beside the likeliest, one
        # that is so much less likely says nothing of its own.
        least = found[0].ratio - MARGIN if found else 0.0
        return [item for item in found if item.ratio >= least or item.tactic in asked]

    def _top_mean(self, products: NDArray[np.float32]) -> float:
        """The mean of the largest few scalar products, as a cosine."""
        kept = min(NEIGHBOURS, len(products))
        if not kept:
            return 0.0
        largest = self._np.partition(products, len(products) - kept)[-kept:]
        return float(largest.sum(dtype=self._np.float64)) / (kept * float(SCALE) * float(SCALE))


def cues_of(words: list[str]) -> list[str]:
    """The words of a line, each once, and its word pairs."""
    return list(dict.fromkeys([*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))]))


def linear_scores(weights: NDArray[np.int16], found: list[int]) -> list[float]:
    """The linear model's score for each tactic: the mean of the weights, scaled by the root of their number."""
    if not found:
        return [0.0] * int(weights.shape[1])
    summed = weights[found].sum(axis=0, dtype="int64").tolist()
    scale = UNIT / float(len(found)) ** 0.5
    return [value * scale for value in summed]


def pack(weights: NDArray[np.int16], parameters: Parameters) -> bytes:
    """A model as one file's bytes (safetensors): the same model always gives the same bytes."""
    import numpy
    from safetensors.numpy import save

    settled = numpy.frombuffer(msgspec.json.encode(parameters), dtype=numpy.uint8)
    return save({"weights": weights, "parameters": settled})


@functools.cache
def bundled() -> ParaphraseModel | None:
    """The model that ships; ``None`` (with the reason in ``why_missing``) when it cannot run here."""
    return (
        None
        if why_missing()
        else ParaphraseModel(_bundled_bytes(), bundled_embedder(), sentences.bundled(), cache_folder())
    )


@functools.cache
def why_missing() -> str:
    """Why the paraphrase tier cannot run here, with the fix; empty when it can."""
    missing = [
        name
        for name in ("numpy", "safetensors", "threadpoolctl", "tokenizers", "wordllama")
        if not importlib.util.find_spec(name)
    ]
    if missing:
        return f"{', '.join(missing)} not installed. Install upstander[paraphrase]; until then only patterns decide."
    if sentences.why_missing():
        return sentences.why_missing()
    try:
        bundled_embedder()
    except Missing as error:
        return str(error)
    return ""


def _bundled_bytes() -> bytes:
    return (files("upstander.packs") / "paraphrase.safetensors").read_bytes()


def bundled_hash() -> str:
    """SHA-256 of the model that ships, whether or not it can run here."""
    return hashlib.sha256(_bundled_bytes()).hexdigest()


def describe(model: ParaphraseModel) -> dict[str, object]:
    """Facts about a model, for ``upstander doctor`` and reports."""
    shown = model.parameters
    examples, cues = len(shown.neighbours), len(shown.cues)
    return {"hash": model.hash, "examples": examples, "cues": cues, "trained_on": shown.trained_on}
