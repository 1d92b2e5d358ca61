"""Runs cases through the engine once, and keeps what every threshold can be judged by afterwards."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import msgspec

from upstander.evaluate.corpus import VOICE, Case, Times, speaker_of
from upstander.model.decision import Decision
from upstander.model.events import Acted, AnyEvent, Speech
from upstander.model.vocabulary import Level
from upstander.runtime import Configuration, Runtime

#: Stands for whoever of a harmful broadcast's viewers it was, when nobody says.
ANYONE = "\x00anyone"
#: Cases that a process gets at a time, and batches that wait for each process: memory stays bounded.
BATCH = 64
BATCHES_AHEAD = 3


class Crossing(msgspec.Struct, frozen=True, gc=False):
    """Where a pair's score first reached ``height`` (nats, or a level's number).

    ``latency`` counts messages until then as the latency metrics do (1: the first), ``own`` the viewer's messages
    since the first harmful one, that one included, and ``seconds`` the time since it; 0 when it was seen coming.
    """

    height: float
    latency: int
    own: int
    seconds: float


class Trace(msgspec.Struct, gc=False):
    """What became of one (viewer, host) pair: each new highest belief, each new highest level, the last belief."""

    actor: str
    harmful: bool | None
    messages: int = 0
    last: float = 0.0
    beliefs: list[Crossing] = []
    levels: list[Crossing] = []

    @property
    def highest(self) -> float:
        """The highest belief, 0 when there was none."""
        return self.beliefs[-1].height if self.beliefs else 0.0

    def crossing(self, threshold: float) -> Crossing | None:
        """Where the belief first reached a threshold."""
        return next((c for c in self.beliefs if c.height >= threshold), None)

    def reached(self, level: Level) -> Crossing | None:
        """Where the decisions first reached a level."""
        return next((c for c in self.levels if c.height >= level), None)


class TacticCount(msgspec.Struct, gc=False):
    """One tactic over labelled events: ``both`` labelled and seen, labelled but ``missed``, seen but ``wrong``."""

    both: int = 0
    missed: int = 0
    wrong: int = 0


class CaseTrace(msgspec.Struct, gc=False):
    """What became of one case. ``quiet`` counts pairs of whom nothing was ever decided; they have no trace."""

    id: str
    harmful: bool | None
    hours: float
    language: str
    slice_tags: frozenset[str]
    times: Times
    dialogue: bool
    messages: int = 0
    failures: int = 0
    quiet: int = 0
    pairs: list[Trace] = []
    tactics: dict[str, TacticCount] = {}


class _Watch:
    """Counts a case's messages for each pair while the engine watches."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.total = 0
        self.by_host = 0
        self.own: Counter[str] = Counter()
        self.traces: dict[str, Trace] = {}
        self._host_before: dict[str, int] = {}
        #: (messages the viewer had written before, when) of each viewer's first harmful event, once it is reached
        self._onset: dict[str, tuple[int, int]] = {}
        self._first_label = self._first_labels()

    def unit(self, actor: str) -> str:
        """Whose score an actor's is."""
        return ANYONE if self.case.harmful and not self.case.harmful_actors else actor

    def _first_labels(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for event in self.case.events:
            if self.case.labels.get(event.id):
                actor = _actor_of(event, self.case.host)
                if actor is not None:
                    found.setdefault(self.unit(actor), event.id)
        return found

    def see(self, event: AnyEvent) -> None:
        """Count an event before its decision is looked at."""
        host = self.case.host
        actor = _actor_of(event, host)
        spoke = speaker_of(event, host)
        self.total += spoke is not None
        self.by_host += spoke == host
        if actor is None or actor == host:
            return
        unit = self.unit(actor)
        self._host_before.setdefault(unit, self.by_host)
        # Without labels, whatever a harmful viewer wrote first may have been the start of it.
        first = self._first_label.get(unit)
        if unit not in self._onset and (event.id == first if first is not None else spoke is not None):
            self._onset[unit] = (self.own[unit], event.at_ms)
        self.own[unit] += spoke is not None

    def take(self, event: AnyEvent, decision: Decision) -> None:
        """Note a decision in its pair's trace."""
        actor = VOICE if decision.actor is None else decision.actor
        level = Level[decision.level.upper()]
        if actor == self.case.host or not (decision.belief > 0 or level > Level.CLEAR):
            return
        unit = self.unit(actor)
        trace = self.traces.get(unit)
        if trace is None:
            trace = self.traces[unit] = self._new(unit)
        trace.last = decision.belief
        if decision.belief > trace.highest:
            trace.beliefs.append(self._crossing(unit, event, decision.belief))
        if level > (trace.levels[-1].height if trace.levels else 0):
            trace.levels.append(self._crossing(unit, event, float(level)))

    def _new(self, unit: str) -> Trace:
        case = self.case
        harmful = case.harmful
        if case.harmful_actors:
            harmful = unit in case.harmful_actors
        return Trace(actor=unit, harmful=harmful)

    def _crossing(self, unit: str, event: AnyEvent, height: float) -> Crossing:
        own = self.own[unit]
        latency = self.total if self.case.dialogue else own + self.by_host - self._host_before.get(unit, self.by_host)
        before, since = self._onset.get(unit, (own, event.at_ms))
        return Crossing(height, max(1, latency), own - before, max(0, event.at_ms - since) / 1000)

    def close(self) -> tuple[list[Trace], int]:
        """The traces, harmful pairs of whom nothing was decided included, and how many other pairs were quiet."""
        harmful = {ANYONE} if self.case.harmful and not self.case.harmful_actors else self.case.harmful_actors
        for unit in sorted(harmful):
            self.traces.setdefault(unit, self._new(unit))
        for trace in self.traces.values():
            trace.messages = self.own[trace.actor]
        quiet = sum(1 for unit, count in self.own.items() if count and unit not in self.traces)
        return list(self.traces.values()), quiet


def _actor_of(event: AnyEvent, host: str) -> str | None:
    """The account that acted, ``VOICE`` for a voice in the stream, the host for the host's own."""
    if isinstance(event, Speech):
        return host if event.speaker == "host" else VOICE
    return event.actor if isinstance(event, Acted) else None


def trace_case(runtime: Runtime, case: Case) -> CaseTrace:
    """Feed a case to an engine that knows nothing yet, and trace what it decides."""
    watch = _Watch(case)
    trace = CaseTrace(
        id=case.id,
        harmful=case.harmful,
        hours=case.hours,
        language=case.language,
        slice_tags=case.slice_tags,
        times=case.times,
        dialogue=case.dialogue,
    )
    failures = runtime.failures
    # A platform's engine is made when it is first needed: dropping it before and after gives each case a fresh one.
    runtime.engines.pop(case.id, None)
    for event in case.events:
        decision = runtime.observe(case.id, event)
        watch.see(event)
        if decision is not None:
            watch.take(event, decision)
        labelled = case.labels.get(event.id)
        if labelled is not None:
            _compare(trace.tactics, labelled, frozenset(decision.tactics) if decision is not None else frozenset())
    runtime.engines.pop(case.id, None)
    trace.failures = runtime.failures - failures
    trace.messages = watch.total
    trace.pairs, trace.quiet = watch.close()
    return trace


def _compare(counts: dict[str, TacticCount], labelled: frozenset[str], seen: frozenset[str]) -> None:
    for tactic in labelled | seen:
        count = counts.setdefault(str(tactic), TacticCount())
        count.both += tactic in labelled and tactic in seen
        count.missed += tactic in labelled and tactic not in seen
        count.wrong += tactic in seen and tactic not in labelled


# -- over processes ----------------------------------------------------------------------------------------------

_RUNTIME: list[Runtime] = []


def _start(configuration: Configuration) -> None:
    _RUNTIME[:] = [Runtime(configuration)]


def _batch(cases: list[Case]) -> list[CaseTrace]:
    return [trace_case(_RUNTIME[0], case) for case in cases]


def trace_all(configuration: Configuration, cases: Iterable[Case], workers: int = 1) -> Iterator[CaseTrace]:
    """The traces of all cases, in their order, over so many processes. They do not depend on how many."""
    if workers <= 1:
        runtime = Runtime(configuration)
        for case in cases:
            yield trace_case(runtime, case)
        return
    # Spawned, not forked: the parent may have threads (a progress bar) and an open scratch space of the matcher.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (configuration,))
    waiting: deque[Future[list[CaseTrace]]] = deque()
    with pool:
        source = iter(cases)
        while batch := list(itertools.islice(source, BATCH)):
            waiting.append(pool.submit(_batch, batch))
            if len(waiting) >= workers * BATCHES_AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
