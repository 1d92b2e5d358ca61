"""What rules cost: the engine with a policy of 100 rules beside the same engine with a policy that does nothing.

Limit: at most 15 µs an event more. Chat as it is recorded, every host 10 to 12, as in ``engine``; passes alternate, and
the median of their processor time counts. Printed without a limit: the cost of one assessment (if every event had one),
and what the two CEL libraries take for one expression.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

import cel
import celpy
from celpy import celtypes

from common import chat, emit, pin
from engine import events
from upstander import runtime
from upstander.engine.assessment import Assessment, Judgement, Policy, Start
from upstander.engine.engine import Engine
from upstander.model.events import AnyEvent
from upstander.model.vocabulary import AgeBand, AgeSource, Level
from upstander.model.wire import decode_event
from upstander.policy.judge import RulePolicy, bundled_source
from upstander.policy.language import check, compile_expression
from upstander.policy.reader import load
from upstander.policy.variables import VARIABLES

RULES = 100
PASSES = 5
#: As people write them: most look at who is protected and at what was seen, some at windows and at numbers.
CONDITIONS = (
    'protection == "child" && sequence.gift_then_request && level >= NOTICE',
    'protection in ["child", "teen"] && "off_platform" in seen && "secrecy" in seen',
    'counter.reports >= 3 && protection != "adult"',
    "evidence.gift_lure > 1.5 && evidence.dare > 1.0 && events >= 3",
    'tactics.exists(t, t in ["threat", "meet_up"]) && level < URGENT',
    "pressing >= 5 && crowd_belief > 6.0 && crowd_level < URGENT",
    'kind == "gift" && counter.gifts >= 4 && size(seen) >= 2',
    '"alone" in exposures && "young_host" in exposures && belief > 4.0 && !muted',
    "level >= URGENT && events > 20",
    'band == "under_10" && size(tactics) >= 2',
)


class Nothing:
    """A policy that does nothing."""

    hash = "0" * 64
    acts: frozenset[str] = frozenset()

    def budget(self, key: str) -> None:
        """None."""

    def judge(self, assessment: Assessment) -> Judgement:
        """Clear."""
        return Judgement(Level.CLEAR, Level.CLEAR, ())

    def at_start(self, band: AgeBand, age_source: AgeSource) -> Start:
        """Nothing."""
        return Start()


class Recording(Nothing):
    """Keeps what it is asked."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.asked, self.acts = policy, [], policy.acts

    def judge(self, assessment: Assessment) -> Judgement:
        """As the policy says."""
        self.asked.append(assessment)
        return self.policy.judge(assessment)


def with_rules(count: int) -> str:
    """The policy that ships with so many rules, each live."""
    head = bundled_source()[1].split("\nrules:")[0]
    rules = [
        f"  - id: rule_{n}\n    when: '{CONDITIONS[n % len(CONDITIONS)]}'\n    ask: [slow_mode]\n    why: a benchmark\n"
        for n in range(count)
    ]
    return f"{head}\nrules:\n{''.join(rules)}" if rules else head


def passed(decoded: list[AnyEvent], detector: runtime.TextDetector, policy: Policy) -> float:
    """Processor time (seconds) that an engine takes for all events."""
    watcher = Engine(detector, policy)
    gc.collect()
    gc.freeze()
    began = time.process_time()
    for event in decoded:
        watcher.observe(event)
    took = time.process_time() - began
    gc.unfreeze()
    return took


def each(action: Callable[[], object], times: int) -> float:
    """Microseconds for one; the median of five rounds."""
    rounds = []
    for _ in range(PASSES):
        began = time.process_time()
        for _ in range(times):
            action()
        rounds.append((time.process_time() - began) / times * 1e6)
    return statistics.median(rounds)


def libraries(assessment: Assessment, policy: RulePolicy) -> dict[str, float]:
    """Microseconds that both libraries take for one expression of a usual length."""
    expression = 'protection == "child" && "secrecy" in seen && evidence.dare > 1.5 && level >= CONCERN'
    environment = celpy.Environment()
    variables = policy._variables(assessment, policy.standing(assessment), Level.CONCERN)
    assert set(variables) >= {"protection", "seen", "evidence", "level"}
    slow = environment.program(environment.compile(expression))
    activation = {name: celpy.json_to_cel(value) for name, value in variables.items()}
    assert isinstance(slow.evaluate(activation), celtypes.BoolType)
    fast, context = compile_expression(expression), cel.Context(variables)
    return {
        "cel_python_parse_us": each(lambda: environment.compile(expression), 50),
        "cel_python_evaluate_us": each(lambda: slow.evaluate(activation), 200),
        "check_us": each(lambda: check(expression, VARIABLES), 50),
        "common_expression_language_compile_us": each(lambda: compile_expression(expression), 200),
        "common_expression_language_context_us": each(lambda: cel.Context(variables), 5_000),
        "common_expression_language_evaluate_us": each(lambda: fast.execute(context), 20_000),
    }


def main() -> None:
    core = pin()
    name, lines = chat()
    decoded = [decode_event(line) for line in events(lines)]
    detector = runtime.current().detector()
    began = time.process_time()
    ruled = RulePolicy(load("100 rules", with_rules(RULES)))
    load_s = time.process_time() - began
    recording = Recording(ruled)
    passed(decoded, detector, recording)
    nothing, hundred = [], []
    for _ in range(PASSES):
        nothing.append(passed(decoded, detector, Nothing()))
        hundred.append(passed(decoded, detector, ruled))
    base, full = statistics.median(nothing), statistics.median(hundred)
    added = (full - base) / len(decoded) * 1e6
    asked = recording.asked
    per_assessment = {}
    for kind, source in (("shipped", bundled_source()[1]), *((str(n), with_rules(n)) for n in (0, 10, RULES))):
        policy = RulePolicy(load("rules", source))
        took = each(lambda policy=policy: [policy.judge(one) for one in asked], 1) / len(asked)  # type: ignore[misc]
        per_assessment[kind] = round(took, 1)
    emit(
        "policy",
        {"added_us_per_event <= 15": added <= 15},
        input=name,
        events=len(decoded),
        assessed=len(asked),
        rules=RULES,
        added_us_per_event=round(added, 2),
        us_per_event=round(full / len(decoded) * 1e6, 2),
        us_per_event_without_policy=round(base / len(decoded) * 1e6, 2),
        ratio=round(full / base, 3),
        us_per_assessment_by_rules=per_assessment,
        load_100_rules_s=round(load_s, 2),
        **{key: round(value, 2) for key, value in libraries(asked[-1], ruled).items()},
        core=core,
    )


if __name__ == "__main__":
    main()
