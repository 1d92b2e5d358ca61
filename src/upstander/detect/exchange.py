"""What the order of events shows: gift, request and compliance; rising gifts; floods of praise; shared wording.

The state is handed in, one ``Exchange`` a broadcast. Nothing here reads a text for tactics: it goes by the signals
that other detectors found, and by the host's short answers.
"""

from __future__ import annotations

import itertools
import re

import msgspec

from upstander.model.events import Gift
from upstander.model.signal import Signal
from upstander.model.vocabulary import Tactic

#: A request this soon after a gift belongs to it; an answer or a gift this soon after a request belongs to that.
GIFT_MS = 180_000
REQUEST_MS = 90_000
#: Rising gifts: so many, each worth more than the one before, within half an hour, with requests in between.
RISING_GIFTS = 3
RISING_MS = 1_800_000
RISING_REQUESTS = 2
#: A flood of praise: so much of it from one viewer within five minutes.
PRAISES = 4
PRAISE_MS = 300_000
#: Shared wording: so many accounts saying the same words (at least so many letters) within ten minutes.
SAME_WORDS = 3
SAME_WORDS_MS = 600_000
SAME_WORDS_LETTERS = 12
MAX_LETTERS = 80
#: Viewers and wordings kept at a time, and gifts and praises of each.
MAX_VIEWERS = 64
MAX_WORDINGS = 32
MAX_KEPT = 8

#: What asks the host to do or to give something.
REQUESTS = frozenset(
    {
        Tactic.DARE,
        Tactic.SEXUALISED_REQUEST,
        Tactic.AUDIENCE_PRESSURE,
        Tactic.GIFT_LURE,
        Tactic.OFF_PLATFORM,
        Tactic.PERSONAL_PROBE,
        Tactic.MEET_UP,
    }
)

#: How a host says that they give in, at the start of a short answer, in the languages of the packs.
_COMPLIES = re.compile(
    r"^(?:ok(?:ay|ie)?|k|kk|fine|alright|sure|yes|yeah|there|done|did it|i did|i did it|like this|is this ok|how"
    r"|vale|bueno|listo|hecho|asi|ya esta|si|ta bom|beleza|pronto|feito|assim|sim|d'?accord|oui|voila|c'?est fait"
    r"|comme ca|na gut|gut|fertig|so|ja|hier)\b",
    re.IGNORECASE,
)
MAX_ANSWER = 60
_NO_LETTERS = re.compile(r"[\W\d_]+")


class Dealing(msgspec.Struct, gc=False):
    """One viewer's dealings with the host: gifts ``(at, value)``, requests and praises (epoch milliseconds)."""

    gifts: list[tuple[int, float]] = []
    requests: list[int] = []
    praises: list[int] = []
    #: when the host last did what this viewer asked for
    complied: int = 0


class Exchange(msgspec.Struct, gc=False):
    """The dealings of one broadcast, by viewer, and who used which words."""

    dealings: dict[str, Dealing] = {}
    #: a wording's letters -> accounts with the time each used it
    wordings: dict[str, dict[str, int]] = {}


def gave(exchange: Exchange, event: Gift, now: int) -> list[Signal]:
    """A gift: signals when it pays for something the host did, or is one of rising gifts with requests between."""
    dealing = _dealing(exchange, event.actor)
    dealing.gifts = [*dealing.gifts, (now, event.value or 0.0)][-MAX_KEPT:]
    signals = []
    if dealing.complied and now - dealing.complied <= GIFT_MS:
        dealing.complied = 0
        note = "pays the host for doing what was asked"
        signals.append(Signal(Tactic.GIFT_LURE, 2.0, "exchange.paid", note=note))
    values = [value for at, value in dealing.gifts if now - at <= RISING_MS]
    requests = [at for at in dealing.requests if now - at <= RISING_MS]
    rising = 1
    for earlier, later in itertools.pairwise(values):
        rising = rising + 1 if later > earlier else 1
    if rising >= RISING_GIFTS and len(requests) >= RISING_REQUESTS:
        note = f"{rising} gifts, each worth more than the last, with requests in between"
        signals.append(Signal(Tactic.GIFT_LURE, 2.2, "exchange.rising_gifts", note=note))
    return _strongest(signals)


def said(exchange: Exchange, viewer: str, plain: str, signals: list[Signal], now: int) -> list[Signal]:
    """A viewer's message showed ``signals``: what it adds that a gift went before, or how often, or who else said it.

    ``plain`` is the message's plain view.
    """
    labels = {signal.label for signal in signals}
    added: list[Signal] = []
    if labels & REQUESTS:
        dealing = _dealing(exchange, viewer)
        dealing.requests = [*dealing.requests, now][-MAX_KEPT:]
        if dealing.gifts and now - dealing.gifts[-1][0] <= GIFT_MS:
            seconds = (now - dealing.gifts[-1][0]) // 1000
            note = f"asks for something {seconds} s after giving a gift"
            added.append(Signal(Tactic.GIFT_LURE, 1.5, "exchange.gift_then_request", note=note))
    if Tactic.PRAISE_HOOK in labels:
        dealing = _dealing(exchange, viewer)
        dealing.praises = [*[at for at in dealing.praises if now - at <= PRAISE_MS][-MAX_KEPT:], now]
        if len(dealing.praises) >= PRAISES:
            note = f"praises the host {len(dealing.praises)} times within five minutes"
            added.append(Signal(Tactic.PRAISE_HOOK, 1.8, "exchange.praise_flood", note=note))
    letters = _NO_LETTERS.sub("", plain)[:MAX_LETTERS]
    if len(letters) >= SAME_WORDS_LETTERS:
        accounts = _accounts(exchange, letters, viewer, now)
        if accounts >= SAME_WORDS:
            note = f"{accounts} accounts write the same words"
            added.append(Signal(Tactic.AUDIENCE_PRESSURE, 1.5, "exchange.same_words", note=note))
    return added


def answered(exchange: Exchange, text: str, now: int) -> list[tuple[str, list[Signal]]]:
    """The host said something short that gives in: for each viewer who had just given and asked, what that shows."""
    if len(text) > MAX_ANSWER or not exchange.dealings or _COMPLIES.match(text.strip()) is None:
        return []
    found = []
    for viewer, dealing in exchange.dealings.items():
        if not dealing.requests or now - dealing.requests[-1] > REQUEST_MS:
            continue
        dealing.complied = now
        if dealing.gifts and now - dealing.gifts[-1][0] <= GIFT_MS + REQUEST_MS:
            note = "a gift, a request, and the host gives in"
            found.append((viewer, [Signal(Tactic.GIFT_LURE, 1.8, "exchange.complied", note=note)]))
    return found


def _strongest(signals: list[Signal]) -> list[Signal]:
    return [max(signals, key=lambda signal: signal.strength)] if signals else []


def _dealing(exchange: Exchange, viewer: str) -> Dealing:
    """The viewer's dealings, as the latest; the one that has been quiet for longest gives way."""
    dealing = exchange.dealings.pop(viewer, None) or Dealing()
    while len(exchange.dealings) >= MAX_VIEWERS:
        del exchange.dealings[next(iter(exchange.dealings))]
    exchange.dealings[viewer] = dealing
    return dealing


def _accounts(exchange: Exchange, letters: str, viewer: str, now: int) -> int:
    """How many accounts used this wording lately, this one included."""
    known = exchange.wordings.pop(letters, {})
    known = {who: at for who, at in known.items() if now - at <= SAME_WORDS_MS and who != viewer}
    while len(known) >= MAX_KEPT:
        del known[next(iter(known))]
    known[viewer] = now
    while len(exchange.wordings) >= MAX_WORDINGS:
        del exchange.wordings[next(iter(exchange.wordings))]
    exchange.wordings[letters] = known
    return len(known)
