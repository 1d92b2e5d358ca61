"""The default policy, as tables: levels by age band, and what is asked for at each. The younger, the stricter."""

from __future__ import annotations

import hashlib

import msgspec

from upstander.engine.assessment import Assessment, Judgement
from upstander.model.decision import Asked
from upstander.model.vocabulary import SEVERE_TACTICS, AgeBand, Exposure, Intervention, Level, Tactic

I = Intervention  # noqa: E741 - keeps the tables readable
T = Tactic

#: Belief (nats) from which each level holds: notice, concern, urgent, emergency.
THRESHOLDS: dict[str, tuple[float, float, float, float]] = {
    "child": (1.5, 3.0, 5.0, 8.0),
    "teen": (2.0, 4.0, 6.5, 9.5),
    "unknown": (2.4, 4.5, 7.0, 10.0),
    "adult": (4.0, 7.0, 10.0, 14.0),
}
#: A broadcast's own belief counts while at least ``CROWD`` viewers press at once, and must be this many times higher.
BROADCAST_FACTOR = 1.5
CROWD = 3

#: A tactic counts as seen from this much evidence (nats), a severe one from this much.
SEEN = 0.7
SEVERE_SEEN = 2.5
#: What tries to move a child somewhere or make them do something; ``urgent`` needs one of these.
DIRECTIVE = frozenset(
    {T.OFF_PLATFORM, T.SECRECY, T.SUPERVISION_PROBE, T.GIFT_LURE, T.DARE, T.AUDIENCE_PRESSURE, T.DECEPTION}
    | SEVERE_TACTICS
)

#: One message never makes an emergency: it takes this many that showed something.
EMERGENCY_EVENTS = 3

#: Tactics whose comment is held already at ``notice``.
HOLD_AT_NOTICE: dict[str, frozenset[Tactic]] = {
    "child": frozenset(Tactic) - {T.PRAISE_HOOK, T.TRUST_BUILDING},
    "teen": SEVERE_TACTICS | {T.OFF_PLATFORM, T.SECRECY, T.SUPERVISION_PROBE},
    "unknown": SEVERE_TACTICS | {T.OFF_PLATFORM, T.SECRECY, T.SUPERVISION_PROBE},
    "adult": frozenset(),
}

#: What is asked for at each level (besides holding the comment), by protection.
STEPS: dict[str, dict[Level, tuple[Intervention, ...]]] = {
    "child": {
        Level.CONCERN: (I.NUDGE_HOST, I.DISABLE_GIFTS, I.CALL_MODERATOR),
        Level.URGENT: (I.MUTE_VIEWER, I.NUDGE_HOST, I.DISABLE_GIFTS, I.HIDE_COUNTS, I.CALL_MODERATOR),
        Level.EMERGENCY: (I.MUTE_VIEWER, I.NUDGE_HOST, I.DISABLE_GIFTS, I.HIDE_COUNTS, I.CALL_MODERATOR, I.PAUSE),
    },
    "teen": {
        Level.CONCERN: (I.NUDGE_HOST,),
        Level.URGENT: (I.MUTE_VIEWER, I.NUDGE_HOST, I.CALL_MODERATOR),
        Level.EMERGENCY: (I.MUTE_VIEWER, I.NUDGE_HOST, I.DISABLE_GIFTS, I.CALL_MODERATOR, I.PAUSE),
    },
    "unknown": {
        Level.CONCERN: (I.NUDGE_HOST,),
        Level.URGENT: (I.MUTE_VIEWER, I.NUDGE_HOST, I.CALL_MODERATOR),
        Level.EMERGENCY: (I.MUTE_VIEWER, I.NUDGE_HOST, I.DISABLE_GIFTS, I.CALL_MODERATOR, I.PAUSE),
    },
    "adult": {
        Level.URGENT: (I.CALL_MODERATOR,),
        Level.EMERGENCY: (I.MUTE_VIEWER, I.CALL_MODERATOR),
    },
}

#: The same intervention is not asked for again within this long (milliseconds), unless the level has risen.
COOLDOWN_MS: dict[Intervention, int] = {
    I.NUDGE_HOST: 120_000,
    I.CALL_MODERATOR: 600_000,
    I.DISABLE_GIFTS: 600_000,
    I.HIDE_COUNTS: 600_000,
    I.SLOW_MODE: 300_000,
    I.PAUSE: 300_000,
    I.MUTE_VIEWER: 600_000,
}

PROTECTION: dict[AgeBand, str] = {
    AgeBand.UNDER_10: "child",
    AgeBand.FROM_10_TO_12: "child",
    AgeBand.FROM_13_TO_15: "child",
    AgeBand.FROM_16_TO_17: "teen",
    AgeBand.UNKNOWN: "unknown",
    AgeBand.ADULT: "adult",
}

#: What becomes of a comment whose decision is late, unless the broadcast says otherwise: a child's is held.
ON_DEADLINE: dict[str, str] = {"child": "hold", "teen": "hold", "unknown": "hold", "adult": "allow"}

_TABLES = (
    THRESHOLDS,
    BROADCAST_FACTOR,
    CROWD,
    SEEN,
    SEVERE_SEEN,
    EMERGENCY_EVENTS,
    sorted(SEVERE_TACTICS),
    sorted(DIRECTIVE),
    {protection: sorted(tactics) for protection, tactics in HOLD_AT_NOTICE.items()},
    {protection: {level.word: steps for level, steps in table.items()} for protection, table in STEPS.items()},
    COOLDOWN_MS,
    PROTECTION,
    ON_DEADLINE,
)


class DefaultPolicy:
    """Judges by the tables above."""

    hash = hashlib.sha256(msgspec.json.encode(_TABLES)).hexdigest()

    def judge(self, assessment: Assessment) -> Judgement:
        """The pair's level, the broadcast's level, and what to ask for."""
        protection = PROTECTION[assessment.band]
        level = self._pair_level(assessment, protection)
        crowd = self._broadcast_level(assessment, protection)
        if assessment.muted:
            level = max(level, Level.NOTICE)
        return Judgement(level, crowd, tuple(self._interventions(assessment, protection, level, crowd)))

    @staticmethod
    def _reached(belief: float, thresholds: tuple[float, ...], factor: float = 1.0) -> Level:
        return Level(sum(belief >= threshold * factor for threshold in thresholds))

    def _pair_level(self, a: Assessment, protection: str) -> Level:
        """A level above ``notice`` needs two distinct tactics, or a severe one."""
        reached = self._reached(a.belief, THRESHOLDS[protection])
        seen = {tactic for tactic, evidence in a.evidence.items() if evidence >= SEEN}
        severe = any(a.evidence.get(tactic, 0.0) >= SEVERE_SEEN for tactic in SEVERE_TACTICS)
        ceiling = Level.NOTICE
        if severe or (len(seen) >= 2 and seen & DIRECTIVE):
            ceiling = Level.URGENT
        elif len(seen) >= 2:
            ceiling = Level.CONCERN
        if a.events >= EMERGENCY_EVENTS and ((severe and len(seen) >= 2) or len(seen & DIRECTIVE) >= 3):
            ceiling = Level.EMERGENCY
        return min(reached, ceiling)

    def _broadcast_level(self, a: Assessment, protection: str) -> Level:
        """A crowd's pressure can reach what no single viewer does; it takes at least three of them at once."""
        if a.pressing < CROWD or not a.signals:
            return Level.CLEAR
        ceiling = Level.EMERGENCY if any(signal.label in SEVERE_TACTICS for signal in a.signals) else Level.URGENT
        return min(self._reached(a.broadcast_belief, THRESHOLDS[protection], BROADCAST_FACTOR), ceiling)

    @staticmethod
    def _holds(a: Assessment, protection: str, level: Level) -> bool:
        if a.kind not in ("comment", "gift"):
            return False
        if a.muted:
            return True
        if level >= Level.CONCERN and protection != "adult":
            return bool(a.signals)
        if level == Level.NOTICE:
            return any(signal.label in HOLD_AT_NOTICE[protection] for signal in a.signals)
        return level >= Level.URGENT and bool(a.signals)

    def _interventions(self, a: Assessment, protection: str, level: Level, crowd: Level) -> list[Asked]:
        asked = []
        if self._holds(a, protection, level):
            asked.append(Asked(I.HOLD_COMMENT, a.event))
        highest = max(level, crowd)
        risen = level > a.pair_level or highest > a.broadcast_level
        steps = list(STEPS[protection].get(highest, ())) if a.signals else []
        distressed = Exposure.DISTRESS in a.exposures and highest >= Level.URGENT
        if distressed and I.PAUSE not in steps:
            steps.append(I.PAUSE)
        elif a.muted and not distressed and crowd < Level.EMERGENCY and I.PAUSE in steps:
            # What a muted viewer writes reaches nobody: it must not be a switch by which a troll stops a broadcast.
            steps.remove(I.PAUSE)
        if crowd >= Level.CONCERN:
            steps.append(I.SLOW_MODE)
        for step in steps:
            if step is I.MUTE_VIEWER and (level < Level.URGENT or a.muted or not a.actor or a.actor[0] == "\0"):
                continue
            wanted = Asked(step, a.actor if step is I.MUTE_VIEWER else "")
            last = a.issued.get(wanted.key)
            cooling = last is not None and a.now - last < COOLDOWN_MS[step]
            if cooling and not (risen and step in (I.CALL_MODERATOR, I.NUDGE_HOST)):
                continue
            asked.append(wanted)
        return asked
