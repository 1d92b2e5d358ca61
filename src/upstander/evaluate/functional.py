"""The functional suite run through the engine as it ships: what fires, what is spared, what obfuscation hides.

Each line is said once, by a stranger, to a host of 10 to 12 in a broadcast of its own and an engine of its own, so
that nothing is known but the line. No texts are kept of held-out lines: counts only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from upstander.evaluate.obfuscate import GENERATORS, Sent, variant
from upstander.evaluate.proportions import Proportion
from upstander.evaluate.split import Part
from upstander.evaluate.suites import Expected, Row, Suite
from upstander.model.decision import Decision
from upstander.model.events import BroadcastStarted, Comment
from upstander.model.vocabulary import AgeBand, AgeSource, Level, Tactic
from upstander.runtime import Runtime

#: The time of the first event (epoch milliseconds): any will do, for the engine has no clock.
START_MS = 1_770_000_000_000
#: Between the messages of one variant (milliseconds): as long as typing a few words takes.
PAUSE_MS = 3_000

#: What the figures must reach on English held-out lines.
MIN_RECALL = 0.90
MAX_BENIGN = 0.03
MIN_OBFUSCATED = 0.95


class Heard(msgspec.Struct, frozen=True):
    """What the engine made of one line: tactics of all its decisions, the highest level, the highest belief (nats)."""

    tactics: frozenset[Tactic] = frozenset()
    level: Level = Level.CLEAR
    belief: float = 0.0


class Ear:
    """Lets an engine hear one line at a time, each as if it were the first thing it ever heard."""

    def __init__(self, runtime: Runtime, band: AgeBand = AgeBand.FROM_10_TO_12) -> None:
        self._runtime = runtime
        self._band = band

    def hear(self, messages: Sequence[Sent], language: str) -> Heard:
        """The messages of one line, in a new broadcast of a new engine."""
        self._runtime.engines.clear()
        # The engine itself and not ``Runtime.observe``, which would count a fault as silence.
        engine = self._runtime.engine("suite")
        started = BroadcastStarted(
            id="start",
            at=START_MS,
            broadcast="b",
            host="host",
            host_age_band=self._band,
            age_source=AgeSource.DECLARED,
            language=language,
        )
        engine.observe(started)
        decisions: list[Decision] = []
        for number, sent in enumerate(messages, 1):
            at = START_MS + 60_000 + number * PAUSE_MS
            comment = Comment(id=f"c{number}", at=at, broadcast="b", actor=f"viewer{sent.viewer}", text=sent.text)
            decision = engine.observe(comment)
            if decision is not None:
                decisions.append(decision)
        tactics = frozenset(tactic for decision in decisions for tactic in decision.tactics)
        level = max((Level[decision.level.upper()] for decision in decisions), default=Level.CLEAR)
        return Heard(tactics, level, max((decision.belief for decision in decisions), default=0.0))


class RowResult(msgspec.Struct, frozen=True):
    """One functionality: how many of its lines did what they must. ``failures``: the others (examples only)."""

    id: str
    what: str
    expected: Expected
    right: Proportion
    failures: tuple[str, ...] = ()


class Obfuscated(msgspec.Struct, frozen=True):
    """One generator (or one style of it) on the lines it can change: how many fire changed, and how many plain."""

    plain: Proportion = Proportion()
    changed: Proportion = Proportion()

    def __add__(self, other: Obfuscated) -> Obfuscated:
        return Obfuscated(self.plain + other.plain, self.changed + other.changed)

    @property
    def ratio(self) -> float:
        """Obfuscated recall over plain recall of the same lines (1.0: obfuscation hides nothing)."""
        return self.changed.share / self.plain.share if self.plain.hits else 0.0


class TacticResult(msgspec.Struct, frozen=True):
    """One tactic in one language.

    ``recall``: firing lines that showed the tactic. ``missed_unseen``: of those that did not, how many showed nothing
    at all. ``benign``: benign twins that reached ``notice`` for any tactic. ``own``: those on which this tactic showed
    at any level. ``obfuscated``: by generator; ``styles``: by ``generator/style``.
    """

    tactic: Tactic
    language: str
    recall: Proportion
    missed_unseen: int
    benign: Proportion
    own: Proportion
    rows: tuple[RowResult, ...]
    obfuscated: dict[str, Obfuscated]
    styles: dict[str, Obfuscated]


class Gate(msgspec.Struct, frozen=True):
    """A figure that must reach a limit."""

    name: str
    value: float
    limit: float
    met: bool


class Report(msgspec.Struct, frozen=True):
    """All that one run found. ``versions``: of engine, packs and policy."""

    part: Part
    seed: int
    versions: dict[str, str]
    results: tuple[TacticResult, ...]

    def of(self, language: str) -> list[TacticResult]:
        """The results of one language."""
        return [result for result in self.results if result.language == language]

    @property
    def languages(self) -> list[str]:
        """The languages there are results of, sorted."""
        return sorted({result.language for result in self.results})


def run(suites: Iterable[Suite], part: Part, runtime: Runtime, seed: int = 0, variants: bool = True) -> Report:
    """Hear every line of the suites, and (with ``variants``) every obfuscated variant of the firing ones."""
    ear = Ear(runtime)
    results = tuple(_tactic(suite, part, ear, seed, variants) for suite in suites)
    return Report(part, seed, dict(runtime.engine("suite").versions), results)


def _tactic(suite: Suite, part: Part, ear: Ear, seed: int, variants: bool) -> TacticResult:
    fired: dict[str, bool] = {}
    unseen = 0
    benign = own = Proportion()
    rows = []
    for row in suite.rows:
        wrong = []
        for text in row.examples:
            heard = ear.hear((Sent(0, text),), suite.language)
            shown = suite.tactic in heard.tactics
            if row.expected is Expected.FIRES:
                right = fired[text] = shown
                unseen += not heard.tactics
            else:
                raised = bool(heard.tactics) and heard.level >= Level.NOTICE
                benign += Proportion(int(raised), 1)
                own += Proportion(int(shown), 1)
                right = not raised
            if not right:
                wrong.append(text)
        rows.append(_row(row, wrong, part))
    obfuscated: dict[str, Obfuscated] = {}
    styles: dict[str, Obfuscated] = {}
    for text, plain in fired.items():
        for name in GENERATORS if variants else ():
            made = variant(name, text, seed)
            if made is None:
                continue
            changed = suite.tactic in ear.hear(made.messages, suite.language).tactics
            one = Obfuscated(Proportion(int(plain), 1), Proportion(int(changed), 1))
            obfuscated[name] = obfuscated.get(name, Obfuscated()) + one
            style = f"{name}/{made.style}"
            styles[style] = styles.get(style, Obfuscated()) + one
    recall = Proportion(sum(fired.values()), len(fired))
    return TacticResult(
        suite.tactic, suite.language, recall, unseen, benign, own, tuple(rows), obfuscated, dict(sorted(styles.items()))
    )


def _row(row: Row, wrong: list[str], part: Part) -> RowResult:
    total = len(row.examples)
    kept = tuple(wrong) if part is Part.EXAMPLES else ()
    return RowResult(row.id, row.what, row.expected, Proportion(total - len(wrong), total), kept)


def overall(report: Report) -> tuple[float, float]:
    """Recall and benign firing over all results of a report, as shares."""
    recall = sum((result.recall for result in report.results), Proportion())
    benign = sum((result.benign for result in report.results), Proportion())
    return recall.share, benign.share


def pooled(results: Iterable[TacticResult]) -> dict[str, Obfuscated]:
    """By generator, over several tactics."""
    found: dict[str, Obfuscated] = {}
    for result in results:
        for name, one in result.obfuscated.items():
            found[name] = found.get(name, Obfuscated()) + one
    return found


def total(parts: Iterable[Obfuscated]) -> Obfuscated:
    """All generators together."""
    return sum(parts, Obfuscated())


def gates(report: Report) -> list[Gate]:
    """The gates, which are about English held-out lines: none for another part or without English lines."""
    if report.part is not Part.HELD_OUT:
        return []
    found = []
    for result in report.of("en"):
        if result.recall.total:
            share = result.recall.share
            found.append(Gate(f"recall of {result.tactic}", share, MIN_RECALL, share >= MIN_RECALL))
        if result.benign.total:
            share = result.benign.share
            found.append(Gate(f"benign firing beside {result.tactic}", share, MAX_BENIGN, share <= MAX_BENIGN))
    together = total(pooled(report.of("en")).values())
    if together.plain.hits:
        ratio = together.ratio
        found.append(Gate("obfuscated recall over plain", ratio, MIN_OBFUSCATED, ratio >= MIN_OBFUSCATED))
    return found
