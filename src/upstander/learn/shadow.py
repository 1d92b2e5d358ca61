"""The shadow model: trained on the packs' examples and verdicts, compared with the one in force, never deciding."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from upstander.detect import classifier, embedding, examples
from upstander.detect.text import TextDetector
from upstander.evaluate import functional, suites
from upstander.evaluate.split import Part
from upstander.journal import store
from upstander.journal.entries import Kind
from upstander.learn import train
from upstander.learn.registry import Gate
from upstander.learn.verdicts import Judged, Verdicts, examples_of
from upstander.model.vocabulary import Level
from upstander.model.wire import WireError, decode_event
from upstander.runtime import Configuration, Runtime

#: The gates. What people judged must be enough, and the new model nowhere worse than the one in force.
MIN_VERDICTS = 50
MIN_MODERATORS = 2
MIN_HELD_BACK = 10
RECALL_SLACK = 0.01
BENIGN_SLACK = 0.005
#: How many more alerts the new model may raise on the past, as a share of those raised.
MAX_MORE_ALERTS = 0.2
#: Events of the past that are replayed for that.
PAST_EVENTS = 200_000


class Outcome(msgspec.Struct, frozen=True):
    """How one model does: suite recall and benign firing, right verdicts of those held back, alerts on the past."""

    recall: float
    benign: float
    right: int
    judged: int
    alerts: dict[str, int]
    events: int


class Comparison(msgspec.Struct, frozen=True):
    """The model in force beside the shadow, the gates, and verdicts on which they differ (event ids)."""

    in_force: Outcome
    shadow: Outcome
    gates: tuple[Gate, ...]
    gained: tuple[str, ...]
    lost: tuple[str, ...]


def train_shadow(verdicts: Verdicts, ordinary: Sequence[examples.Example] = ()) -> bytes:
    """A model on the packs' examples and all verdicts but those held back."""
    learned = examples_of(tuple(line for line in verdicts.judged if not line.held_back))
    return train.train([*examples.bundled(), *ordinary, *learned], embedding.bundled(), classifier.bundled())


def compare(
    in_force: Configuration,
    shadow: Configuration,
    verdicts: Verdicts,
    connection: sqlite3.Connection,
    step: Callable[[str], None] = lambda what: None,
) -> Comparison:
    """Run both models over the held-out suite, the verdicts held back and the journal's last events."""
    held_back = [line for line in verdicts.judged if line.held_back]
    outcomes, right = [], []
    for name, configuration in (("the model in force", in_force), ("the shadow", shadow)):
        step(f"{name}: held-out suite")
        runtime = Runtime(configuration)
        report = functional.run(suites.load(Part.HELD_OUT, "en"), Part.HELD_OUT, runtime, variants=False)
        step(f"{name}: verdicts held back")
        correct = {line.event for line in held_back if _agrees(runtime.detector, line)}
        step(f"{name}: the past")
        alerts, events = _past(Runtime(configuration), connection)
        recall, benign = functional.overall(report)
        outcomes.append(Outcome(recall, benign, len(correct), len(held_back), alerts, events))
        right.append(correct)
    gates = _gates(outcomes[0], outcomes[1], verdicts)
    gained, lost = right[1] - right[0], right[0] - right[1]
    return Comparison(outcomes[0], outcomes[1], gates, tuple(sorted(gained)), tuple(sorted(lost)))


def _agrees(detector: TextDetector, line: Judged) -> bool:
    """Whether the detector sees a tactic in a line exactly when the moderators did."""
    return bool(detector.viewer(line.text, "")) == bool(line.tactics)


def _past(runtime: Runtime, connection: sqlite3.Connection) -> tuple[dict[str, int], int]:
    """Alerts by level on the journal's last events."""
    last, _ = store.head(connection)
    alerts: Counter[str] = Counter()
    events = 0
    for placed in store.read(connection, max(0, last - 2 * PAST_EVENTS), "kind = 'event'"):
        if placed.entry.kind is not Kind.EVENT:
            continue
        try:
            decision = runtime.observe(placed.entry.platform, decode_event(placed.entry.body))
        except WireError:
            continue
        events += 1
        if decision is not None and decision.level != Level.CLEAR.word:
            alerts[decision.level] += 1
    return dict(alerts), events


def _gates(in_force: Outcome, shadow: Outcome, verdicts: Verdicts) -> tuple[Gate, ...]:
    before, after = sum(in_force.alerts.values()), sum(shadow.alerts.values())
    most = max(before * (1 + MAX_MORE_ALERTS), before + 5)
    judged, people = len(verdicts.judged), verdicts.moderators
    return (
        Gate("verdicts", str(judged), f"at least {MIN_VERDICTS}", judged >= MIN_VERDICTS),
        Gate("moderators who judged", str(people), f"at least {MIN_MODERATORS}", people >= MIN_MODERATORS),
        Gate(
            "verdicts held back",
            str(shadow.judged),
            f"at least {MIN_HELD_BACK}",
            shadow.judged >= MIN_HELD_BACK,
        ),
        Gate(
            "verdicts held back that it gets right",
            f"{shadow.right} of {shadow.judged}",
            f"at least the {in_force.right} of the model in force",
            shadow.right >= in_force.right,
        ),
        Gate(
            "recall on the held-out suite",
            f"{shadow.recall:.3f}",
            f"at least {in_force.recall - RECALL_SLACK:.3f}",
            shadow.recall >= in_force.recall - RECALL_SLACK,
        ),
        Gate(
            "benign twins firing",
            f"{shadow.benign:.3f}",
            f"at most {in_force.benign + BENIGN_SLACK:.3f}",
            shadow.benign <= in_force.benign + BENIGN_SLACK,
        ),
        Gate(
            f"alerts on the last {shadow.events:,} events",
            str(after),
            f"at most {most:.0f}",
            after <= most,
        ),
    )
