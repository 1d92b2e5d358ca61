"""What the audience, its gifts and the frames show. The state is handed in, one ``Audience`` a broadcast."""

from __future__ import annotations

import msgspec

from upstander.detect.paraphrase import SOURCE as GUESS
from upstander.model.events import Frame, Gift, Invite, Joined
from upstander.model.signal import Signal
from upstander.model.vocabulary import AgeBand, Exposure, Tactic, stricter

WINDOW_MS = 60_000
#: A surge: at least this many joins in a minute, and this many times the usual minute of this broadcast.
SURGE_JOINS = 10
SURGE_RATIO = 4.0
#: Strangers: at least this many viewers whose relation is known, and this share who do not follow the host.
STRANGER_VIEWERS = 8
STRANGER_SHARE = 0.8
NEW_ACCOUNT_DAYS = 7
#: This share of a minute's joins by new accounts is a surge of its own, however many usually join.
NEW_ACCOUNT_SHARE = 0.6
GIFTS_IN_BURST = 5
#: Collective pressure: this many different viewers pressing within a minute.
PRESSING_VIEWERS = 3
#: ``alone`` and an estimated age need frames that agree over this long.
AGREEING_FRAMES = 5
AGREEING_MS = 30_000
#: Viewers whose own record is kept for one broadcast; beyond that only the counts are exact.
MAX_PRESENT = 50_000
#: Pressing viewers kept at a time; only three are needed to see pressure.
MAX_PRESSING = 64

_STRANGER, _FRIEND, _UNKNOWN = 1, 2, 0

INVITE_STRENGTH = {"direct_message": 1.8, "call": 2.2, "guest": 1.0}
#: Tactics that press the host to do something now.
PRESSING = frozenset({Tactic.AUDIENCE_PRESSURE, Tactic.DARE, Tactic.SEXUALISED_REQUEST, Tactic.GIFT_LURE})


class Audience(msgspec.Struct, gc=False):
    """Counts and short windows of one broadcast's audience; times in epoch milliseconds."""

    present: dict[str, int] = {}
    strangers: int = 0
    friends: int = 0
    #: joins in the current minute, of which by new accounts; start of that minute; usual joins a minute
    joins: int = 0
    new_accounts: int = 0
    joins_since: int = 0
    usual: float = -1.0
    gifts: list[int] = []
    pressing: dict[str, int] = {}
    #: consecutive frames that show one face, and since when; the same for frames that show a child
    alone_frames: int = 0
    alone_since: int = 0
    child_frames: int = 0
    child_since: int = 0


def joined(audience: Audience, event: Joined, now: int) -> list[Signal]:
    """A viewer came in: ``audience_surge`` and ``stranger_audience``."""
    kind = _UNKNOWN if event.follows_host is None else (_FRIEND if event.follows_host else _STRANGER)
    before = audience.present.get(event.actor)
    if before is None:
        if len(audience.present) < MAX_PRESENT:
            audience.present[event.actor] = kind
            _count(audience, kind, 1)
    elif kind not in (before, _UNKNOWN):
        _count(audience, before, -1)
        _count(audience, kind, 1)
        audience.present[event.actor] = kind
    _roll(audience, now)
    if before is None:
        audience.joins += 1
        if event.account_age_days is not None and event.account_age_days < NEW_ACCOUNT_DAYS:
            audience.new_accounts += 1
    signals = []
    usual = max(audience.usual, 1.0)
    if audience.usual >= 0 and audience.joins >= SURGE_JOINS and audience.joins >= SURGE_RATIO * usual:
        note = f"{audience.joins} joined within a minute; usual is {usual:.0f}"
        if audience.new_accounts * 2 >= audience.joins:
            note += f"; {audience.new_accounts} of them with accounts under a week old"
        signals.append(Signal(Exposure.AUDIENCE_SURGE, 1.0, "audience.surge", note=note))
    elif audience.joins >= SURGE_JOINS and audience.new_accounts >= NEW_ACCOUNT_SHARE * audience.joins:
        note = f"{audience.new_accounts} of {audience.joins} who joined within a minute have accounts under a week old"
        signals.append(Signal(Exposure.AUDIENCE_SURGE, 1.0, "audience.new_accounts", note=note))
    known = audience.strangers + audience.friends
    if known >= STRANGER_VIEWERS and audience.strangers >= STRANGER_SHARE * known:
        note = f"{audience.strangers} of {known} viewers do not follow the host"
        signals.append(Signal(Exposure.STRANGER_AUDIENCE, 1.0, "audience.strangers", note=note))
    return signals


def left(audience: Audience, actor: str) -> None:
    """A viewer went."""
    kind = audience.present.pop(actor, None)
    if kind is not None:
        _count(audience, kind, -1)


def followed(audience: Audience, actor: str) -> None:
    """A viewer followed the host. Following in mid-stream makes nobody a friend, so the count stays."""
    audience.present.setdefault(actor, _UNKNOWN)


def gift(audience: Audience, event: Gift, now: int) -> list[Signal]:
    """A gift: ``gift_burst`` when several come within a minute."""
    audience.gifts = [at for at in audience.gifts if now - at < WINDOW_MS][-(4 * GIFTS_IN_BURST) :]
    audience.gifts.append(now)
    if len(audience.gifts) < GIFTS_IN_BURST:
        return []
    return [Signal(Exposure.GIFT_BURST, 1.0, "audience.gifts", note=f"{len(audience.gifts)} gifts within a minute")]


def invite(event: Invite) -> list[Signal]:
    """An invitation to another channel is ``off_platform`` in itself."""
    note = f"invites the host to a {event.channel.replace('_', ' ')}"
    return [Signal(Tactic.OFF_PLATFORM, INVITE_STRENGTH[event.channel], f"invite.{event.channel}", note=note)]


def pressed(audience: Audience, viewer: str, signals: list[Signal], now: int) -> list[Signal]:
    """Collective pressure: the signals this event adds because several viewers press at the same time."""
    # A model's guess is no pressing: excited chat would make a crowd of guesses.
    if not any(signal.label in PRESSING and signal.source != GUESS for signal in signals):
        return []
    recent = {who: at for who, at in audience.pressing.items() if now - at < WINDOW_MS and who != viewer}
    while len(recent) >= MAX_PRESSING:
        recent.pop(next(iter(recent)))
    recent[viewer] = now
    audience.pressing = recent
    if len(recent) < PRESSING_VIEWERS:
        return []
    note = f"{len(recent)} viewers press the host within a minute"
    return [Signal(Tactic.AUDIENCE_PRESSURE, 1.5, "audience.collective", note=note)]


def pressing(audience: Audience, now: int) -> int:
    """How many viewers pressed the host within the last minute."""
    return sum(now - at < WINDOW_MS for at in audience.pressing.values())


def frame(audience: Audience, event: Frame, now: int) -> tuple[list[Signal], AgeBand | None]:
    """Frame facts: ``alone`` and ``home_setting``, and an estimated age band once frames agree over time."""
    signals = []
    if event.faces is not None:
        if event.faces == 1:
            audience.alone_since = audience.alone_since if audience.alone_frames else now
            audience.alone_frames += 1
        else:
            audience.alone_frames = 0
        if audience.alone_frames >= AGREEING_FRAMES and now - audience.alone_since >= AGREEING_MS:
            seconds = (now - audience.alone_since) // 1000
            note = f"one face in every frame for {seconds} s"
            signals.append(Signal(Exposure.ALONE, 1.0, "frames.alone", note=note))
    if event.scene in ("home", "bedroom"):
        signals.append(Signal(Exposure.HOME_SETTING, 1.0, "frames.scene", note=f"the scene looks like a {event.scene}"))
    band: AgeBand | None = None
    if event.age_bands:
        youngest = event.age_bands[0]
        for other in event.age_bands[1:]:
            youngest = stricter(youngest, other)
        if youngest in (AgeBand.ADULT, AgeBand.UNKNOWN):
            audience.child_frames = 0
        else:
            audience.child_since = audience.child_since if audience.child_frames else now
            audience.child_frames += 1
            if audience.child_frames >= AGREEING_FRAMES and now - audience.child_since >= AGREEING_MS:
                band = youngest
    return signals, band


def _count(audience: Audience, kind: int, change: int) -> None:
    if kind == _STRANGER:
        audience.strangers += change
    elif kind == _FRIEND:
        audience.friends += change


def _roll(audience: Audience, now: int) -> None:
    """Close the current minute of joins when it is over, and let it weigh in what is usual."""
    if not audience.joins_since:
        audience.joins_since = now
    minutes = (now - audience.joins_since) // WINDOW_MS
    if minutes <= 0:
        return
    closed = float(audience.joins)
    audience.usual = closed if audience.usual < 0 else 0.7 * audience.usual + 0.3 * closed
    for _ in range(min(minutes - 1, 30)):
        audience.usual *= 0.7
    audience.joins = audience.new_accounts = 0
    audience.joins_since += minutes * WINDOW_MS
