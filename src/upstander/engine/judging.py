"""Policy asked, budgets kept, and what was asked for remembered. State is handed in."""

from __future__ import annotations

import msgspec

from upstander.detect.paraphrase import SOURCE as GUESS
from upstander.engine.assessment import HOST_REPORT, Assessment, FiredRule, Judgement, Mark, Policy, Start
from upstander.engine.breakers import spend, stopped
from upstander.engine.state import Broadcast, EngineState, Pair
from upstander.model.decision import Asked, Reason
from upstander.model.signal import Signal
from upstander.model.vocabulary import Intervention, Level

#: Interventions whose cooldown is remembered in one broadcast.
MAX_ISSUED = 4_096
#: Things remembered in one broadcast for rules to count.
MAX_MARKS = 64


def mark(broadcast: Broadcast, actor: str, labels: list[str]) -> int:
    """Remember what happened, for rules to count; returns how many marks were made."""
    made = [Mark(broadcast.now, actor, label) for label in labels]
    broadcast.marks = [*broadcast.marks, *made][-MAX_MARKS:]
    return len(made)


def nobody(broadcast: Broadcast) -> Pair:
    """Stands for the viewer where what happened is about the broadcast as such."""
    return Pair(at=broadcast.now, level=broadcast.level)


def reported(broadcast: Broadcast, reporter: str) -> bool:
    """Remember that a viewer reported the broadcast itself; False when that is remembered already."""
    if any(known.label == HOST_REPORT and known.actor == reporter for known in broadcast.marks):
        return False
    mark(broadcast, reporter, [HOST_REPORT])
    return True


def starting(broadcast: Broadcast, start: Start) -> tuple[Asked, ...]:
    """What to ask for at a broadcast's start; once, however often the platform announces it."""
    asked = tuple(Asked(do) for do in start.ask if str(do) not in broadcast.issued)
    for one in asked:
        remember(broadcast, one)
    return asked


def one_guess(pair: Pair, signals: list[Signal]) -> list[Signal]:
    """While no clear pattern fired for a pair, one guess counts, the likeliest there was: guesses never add up."""
    guesses = [signal for signal in signals if signal.source == GUESS]
    if not guesses:
        return signals
    best = max(guesses, key=lambda signal: signal.strength)
    held = pair.evidence.get(pair.guess, 0.0) if pair.guess else 0.0
    if best.strength <= held:
        shown = msgspec.structs.replace(best, strength=0.0)
    else:
        pair.evidence.pop(pair.guess, None)
        pair.guess, shown = str(best.label), best
    return [signal for signal in signals if signal.source != GUESS] + [shown]


def judge(state: EngineState, policy: Policy, assessment: Assessment) -> tuple[Judgement, list[Reason]]:
    """The policy's judgement within its budgets, and the reasons that rules and breakers give.

    A rule or an intervention whose budget is spent is only noted; at that moment an operator is paged, once. A rule
    spends one of its budget for each event on which it did something: to hold while its cooldown runs costs nothing.
    """
    now = state.clock
    out = {key[5:] for key in state.budgets if key.startswith("rule:") and stopped(state.budgets, key, now)}
    pages: list[Asked] = []
    reasons: list[Reason] = []
    paid: set[str] = set()
    while True:
        judged = policy.judge(msgspec.structs.replace(assessment, stopped=frozenset(out)) if out else assessment)
        overdrawn = set()
        for rule in judged.fired:
            key = f"rule:{rule.id}"
            limit = policy.budget(key) if rule.id not in paid and _acts(rule, judged) else None
            why = spend(state.budgets, key, limit, now) if limit else ""
            if why:
                overdrawn.add(rule.id)
                pages.append(Asked(Intervention.PAGE_OPERATOR, key))
                reasons.append(Reason("breaker", f"{why}: only noted for now"))
            elif limit:
                paid.add(rule.id)
        if not overdrawn:
            break
        # Without these rules others may act that had nothing to add before: they must pay too.
        out |= overdrawn
    kept = []
    for asked in judged.interventions:
        key = str(asked.do)
        limit = policy.budget(key)
        if limit is not None and stopped(state.budgets, key, now):
            reasons.append(Reason("breaker", f"{key} would have been asked for, and its breaker has tripped"))
            continue
        why = spend(state.budgets, key, limit, now) if limit else ""
        if why:
            pages.append(Asked(Intervention.PAGE_OPERATOR, key))
            reasons.append(Reason("breaker", f"{why}: only noted for now"))
            continue
        kept.append(asked)
    reasons += [_of_rule(rule) for rule in judged.fired]
    return msgspec.structs.replace(judged, interventions=(*kept, *pages)), reasons


def _acts(rule: FiredRule, judged: Judgement) -> bool:
    if not rule.live:
        return False
    return bool(rule.level or rule.propose) or any(asked.rule == rule.id for asked in judged.interventions)


def _of_rule(rule: FiredRule) -> Reason:
    parts = [name.replace("_", " ") for name in rule.ask]
    if rule.level:
        parts.append(f"at least {Level(rule.level).word}")
    parts += [f"a person to decide: {name.replace('_', ' ')}" for name in rule.propose]
    if rule.live:
        return Reason("rule", rule.why, source=f"rule.{rule.id}")
    what = f" (would ask for: {', '.join(parts)})" if parts else ""
    return Reason("shadow_rule", f"{rule.why}{what}", source=f"rule.{rule.id}")


def note(broadcast: Broadcast, pair: Pair, actor: str, asked: Asked, event: str) -> None:
    """Remember what was asked for: its cooldown, and that a viewer is muted."""
    if asked.do is Intervention.MUTE_VIEWER and asked.target == actor:
        pair.muted = event
    if asked.do is not Intervention.HOLD_COMMENT:
        remember(broadcast, asked)


def remember(broadcast: Broadcast, asked: Asked) -> None:
    """Open an intervention's cooldown."""
    broadcast.issued.pop(asked.key, None)
    while len(broadcast.issued) >= MAX_ISSUED:
        del broadcast.issued[next(iter(broadcast.issued))]  # its cooldown is long over, or a flood is on
    broadcast.issued[asked.key] = broadcast.now
