"""Training of the paraphrase model: from labelled lines to one file. The same lines and seed give the same file.

The linear scores and the contrasts that their mix is fitted on come from folds that did not see the line (nor its
variants). The classifier, which has the greatest say, is trained by scripts/train_classifier.py and taken as it is.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from upstander.detect import paraphrase as tier
from upstander.detect.classifier import Classifier
from upstander.detect.embedding import SCALE, Embedder
from upstander.detect.examples import Example
from upstander.detect.normalise import views
from upstander.detect.paraphrase import TACTICS
from upstander.learn.augment import variants

FOLDS = 5
VARIANTS = 1
SEED = 20_170_801
#: Inverse strength of the linear model's L2 penalty.
PENALTY = 8.0
#: What the n-grams' and neighbours' ratio counts beside the classifier's. It is fitted on unseen lines, but examples of
#: a pattern resemble each other: it promises more than it keeps. The classifier knows more English than is in them.
SHARE = 0.2
#: A cue stands in at least so many lines, and weighs at least so much (log odds).
CUE_MIN_LINES = 2
CUE_LEAST = 0.1


class Line(msgspec.Struct, frozen=True):
    """A distinct line with all tactics that it is an example of (none: a benign twin)."""

    text: str
    tactics: frozenset[str]


def lines_of(examples: Sequence[Example]) -> list[Line]:
    """Examples as distinct lines, in a fixed order. A line that shows a tactic anywhere is no benign line."""
    shown: dict[str, set[str]] = {}
    for example in examples:
        found = shown.setdefault(_read(example.text), set())
        if example.shows:
            found.add(example.tactic)
    return [Line(text, frozenset(shown[text])) for text in sorted(shown) if text]


def _read(text: str) -> str:
    """The line as the model will read it."""
    return tier.plain(views(text).plain)


def trained_on(lines: Sequence[Line]) -> str:
    """SHA-256 of the lines and their labels: what a model says that it was trained on."""
    return hashlib.sha256(msgspec.json.encode([(line.text, sorted(line.tactics)) for line in lines])).hexdigest()


def train(examples: Sequence[Example], embedder: Embedder, classifier: Classifier, seed: int = SEED) -> bytes:
    """Train on examples; returns the model's file (see ``paraphrase.pack``)."""
    lines = lines_of(examples)
    fold_of = _folds(lines, seed)
    linear, contrast = _unseen_scores(lines, fold_of, embedder, seed)
    labels = _labels(lines)
    mix = [_fit_mix(linear[:, index], contrast[:, index], labels[:, index]) for index in range(len(TACTICS))]
    cues, cue_bias = _cues(lines)
    parameters = tier.Parameters(
        mix=mix,
        cues=cues,
        cue_bias=cue_bias,
        neighbours=_neighbours(lines),
        trained_on=trained_on(lines),
        embedder=embedder.hash,
        classifier=classifier.model,
    )
    return tier.pack(_linear(*_augmented(lines, seed)), parameters)


def _neighbours(lines: Sequence[Line]) -> list[tuple[str, int]]:
    found = []
    for line in lines:
        owners = [index for index, tactic in enumerate(TACTICS) if tactic in line.tactics] or [-1]
        found += [(line.text, owner) for owner in owners]
    return found


def _labels(lines: Sequence[Line]) -> NDArray[np.bool_]:
    return np.array([[tactic in line.tactics for tactic in TACTICS] for line in lines])


def _folds(lines: Sequence[Line], seed: int) -> NDArray[np.int64]:
    """Folds drawn by the lines' own hashes, so that one more line moves no other."""
    drawn = [hashlib.sha256(f"{seed}|{line.text}".encode()).digest()[0] % FOLDS for line in lines]
    return np.array(drawn, dtype=np.int64)


def _augmented(lines: Sequence[Line], seed: int) -> tuple[list[str], NDArray[np.bool_], NDArray[np.float64]]:
    """Texts with variants, their labels, and weights (a line and its variants count as one)."""
    texts, owners, weights = [], [], []
    for index, line in enumerate(lines):
        chance = random.Random(f"{seed}|{line.text}")  # noqa: S311 - reproducible on purpose
        made = [line.text, *(tier.plain(v) for v in variants(line.text, VARIANTS, chance))]
        texts += made
        owners += [index] * len(made)
        weights += [2.0] + [1.0] * (len(made) - 1)
    return texts, _labels(lines)[owners], np.array(weights)


def _linear(texts: Sequence[str], labels: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.int16]:
    """One-against-rest logistic regressions over hashed n-grams, as int16 [BUCKETS, tactics]."""
    rows = [tier.buckets(text) for text in texts]
    indptr = np.cumsum([0, *map(len, rows)])
    values = np.concatenate([np.full(len(row), 1.0 / math.sqrt(max(1, len(row)))) for row in rows])
    matrix = csr_matrix((values, np.concatenate(rows).astype(np.int64), indptr), shape=(len(rows), tier.BUCKETS))
    benign = ~labels.any(axis=1)
    out = np.zeros((tier.BUCKETS, len(TACTICS)))
    for index in range(len(TACTICS)):
        own = labels[:, index]
        if not own.any():
            continue
        # Lines of another tactic may show this one too (nobody labelled them for it), so they count less against it.
        weight = weights * np.where(own | benign, 1.0, 0.35) * np.where(own, 3.0, 1.0)
        model = LogisticRegression(C=PENALTY, max_iter=100, tol=0.02, solver="liblinear", random_state=0)
        out[:, index] = model.fit(matrix, own, sample_weight=weight).coef_[0]
    return np.clip(np.rint(out / tier.UNIT), -32_767, 32_767).astype(np.int16)


def _unseen_scores(
    lines: Sequence[Line], fold_of: NDArray[np.int64], embedder: Embedder, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear score and contrast of every line [lines, tactics], each from what was trained without its fold."""
    labels = _labels(lines)
    vectors = embedder.many([line.text for line in lines])
    linear, contrast = np.zeros(labels.shape), np.zeros(labels.shape)
    for fold in range(FOLDS):
        inside = fold_of == fold
        weights = _linear(*_augmented([line for line, out in zip(lines, inside, strict=True) if not out], seed))
        for row in np.flatnonzero(inside).tolist():
            linear[row] = tier.linear_scores(weights, tier.buckets(lines[row].text))
        near = vectors[inside] @ vectors[~inside].T / (SCALE * SCALE)
        benign = _top(near[:, ~labels[~inside].any(axis=1)])
        for index in range(len(TACTICS)):
            contrast[inside, index] = _top(near[:, labels[~inside][:, index]]) - benign
    return linear, contrast


def _top(near: NDArray[np.float32]) -> NDArray[np.float64]:
    if not near.shape[1]:
        return np.zeros(near.shape[0])
    kept = min(tier.NEIGHBOURS, near.shape[1])
    top: NDArray[np.float64] = np.sort(near, axis=1)[:, -kept:].mean(axis=1, dtype=np.float64)
    return top


def _fit_mix(
    linear: NDArray[np.float64], contrast: NDArray[np.float64], own: NDArray[np.bool_]
) -> tuple[float, float, float, float]:
    """Fit two scores of unseen lines to a log-likelihood ratio (logistic regression less the prior log odds), and take
    a share of it beside the classifier's."""
    if own.sum() < FOLDS:
        return (0.0, 0.0, 0.0, 1.0)
    model = LogisticRegression(C=10.0, max_iter=500).fit(np.stack([linear, contrast], axis=1), own)
    prior = math.log(own.mean() / (1.0 - own.mean()))
    bias, (a, b) = float(model.intercept_[0]) - prior, (float(weight) for weight in model.coef_[0])
    # Rounded, so that the file does not hang on the last bit of a solver.
    return (round(SHARE * bias, 4), round(SHARE * a, 4), round(SHARE * b, 4), 1.0)


def _cues(lines: Sequence[Line]) -> tuple[dict[str, list[tuple[int, float]]], list[float]]:
    """Words and word pairs with the log odds by which they speak for a tactic, and each tactic's log odds without."""
    counter = CountVectorizer(analyzer=lambda text: tier.cues_of(text.split()), binary=True, min_df=CUE_MIN_LINES)
    matrix = counter.fit_transform([line.text for line in lines])
    labels = _labels(lines)
    harmful = labels.any(axis=1)
    biases, weights = [], []
    for index in range(len(TACTICS)):
        own = labels[:, index]
        if not own.any():
            biases.append(-99.0)
            weights.append(np.zeros(matrix.shape[1]))
            continue
        weight = np.where(own, 3.0, np.where(harmful, 0.35, 1.0))
        model = LogisticRegression(C=1.0, max_iter=100, tol=0.02, solver="liblinear", random_state=0)
        model.fit(matrix, own, sample_weight=weight)
        biases.append(round(float(model.intercept_[0]), 3))
        weights.append(model.coef_[0])
    cues = {}
    for word, column in sorted(counter.vocabulary_.items()):
        entries = [(t, round(float(w[column]), 2)) for t, w in enumerate(weights) if abs(w[column]) >= CUE_LEAST]
        if entries:
            cues[word] = entries
    return cues, biases
