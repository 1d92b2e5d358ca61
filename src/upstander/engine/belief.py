"""The arithmetic of belief: evidence that fades, saturates and only ever grows with harm.

Each tactic of a (viewer → host) pair has its own evidence, a CUSUM of log-likelihood ratios (nats) that decays with
a half-life and saturates at a cap, so that saying one thing a hundred times cannot explode it and nothing benign can
dilute it. Only +, -, * and / are used: unlike ``exp``, they give the same bits on every machine.
"""

from __future__ import annotations

#: Half-lives in seconds.
PAIR_HALF_LIFE_S = 1_800
BROADCAST_HALF_LIFE_S = 900
VIEWER_HALF_LIFE_S = 6 * 3_600
EXPOSURE_HALF_LIFE_S = 1_200

#: Evidence that one tactic of one pair can hold, in nats; severe tactics may hold more.
TACTIC_CAP = 4.0
SEVERE_CAP = 6.0
#: What guesses alone can make of one tactic, however many there are.
GUESS_CAP = 2.0
#: What one viewer can add to a broadcast's belief: many viewers are needed to make it high.
VIEWER_SHARE_CAP = 3.0
#: What a viewer's record in other broadcasts can add to a pair that shows a tactic of its own.
STANDING_CAP = 2.0
STANDING_SHARE = 0.5
#: What each user report adds to a pair, and how many count.
REPORT_WEIGHT = 0.7
MAX_REPORTS = 3
#: Exposures multiply by at most this.
MAX_FACTOR = 2.0


def _halvings(half_life_s: int) -> tuple[float, ...]:
    """Decay over 1, 2, 4, … seconds: entry k is ``2 ** -(2**k / half_life)``, by repeated squaring."""
    # The decay of one second by Newton's method on x ** half_life = 1/2, in basic operations only.
    x = 1.0 - 0.6931471805599453 / half_life_s
    for _ in range(8):
        power = _power(x, half_life_s - 1)
        x = x - (x * power - 0.5) / (half_life_s * power)
    table = [x]
    for _ in range(24):
        table.append(table[-1] * table[-1])
    return tuple(table)


def _power(base: float, exponent: int) -> float:
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


_TABLES = {
    half_life: _halvings(half_life)
    for half_life in (PAIR_HALF_LIFE_S, BROADCAST_HALF_LIFE_S, VIEWER_HALF_LIFE_S, EXPOSURE_HALF_LIFE_S)
}


def decay(half_life_s: int, elapsed_ms: int) -> float:
    """The factor that evidence keeps after ``elapsed_ms`` (whole seconds count; never above 1)."""
    seconds = elapsed_ms // 1000
    if seconds <= 0:
        return 1.0
    table = _TABLES[half_life_s]
    if seconds >= 1 << len(table):
        return 0.0
    factor = 1.0
    index = 0
    while seconds:
        if seconds & 1:
            factor *= table[index]
        seconds >>= 1
        index += 1
    return factor


def add(evidence: float, strength: float, cap: float) -> float:
    """Evidence after one more signal. Monotone in both arguments; never above ``cap``, unless it was before."""
    if evidence >= cap:
        return evidence
    strength = min(max(strength, 0.0), cap)
    return min(cap, evidence + strength * (1.0 - evidence / cap))
