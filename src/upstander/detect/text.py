"""What a text shows: tactics when a viewer wrote it, disclosures and distress when the host did."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import phonenumbers

from upstander.detect.fragments import OTHERS_FACTOR, OTHERS_LEAST, OWN_LEAST, Joined
from upstander.detect.matcher import Hit, Matcher
from upstander.detect.memory import Memory
from upstander.detect.normalise import Views, align, views
from upstander.detect.packs import PackSet
from upstander.detect.paraphrase import (
    DOUBT,
    MAX_BESIDE,
    MAX_DOWN,
    MAX_DOWN_AGREED,
    MAX_STRENGTH,
    SHARED_DOUBT,
    SOURCE,
    SUSPECTED_DOUBT,
    ParaphraseModel,
)
from upstander.model.signal import Signal
from upstander.model.vocabulary import MEANING, AgeBand, Exposure, Tactic, band_of_age

#: Added to a signal whose words were hidden with invisible characters: nobody does that by accident.
EVASION_BONUS = 0.5
#: Factor on what is addressed to another viewer ("@name …") and not to the host.
ASIDE = 0.4
#: A pattern as strong as this leaves no doubt: no second thought is needed.
SETTLED = 3.2
#: A pattern as strong as this is weighed down little, for the model can be talked out of one by what stands around it.
STRONG = 2.6
#: Beside a pattern as strong as this a guess counts less.
HINT = 1.0
#: A weak pattern that the model weighs down still says this much, and so does a guess beside a likelier one.
LEAST = 0.1
#: So many guesses at one line, the likeliest: what is harmful in one way resembles harm of every kind.
MAX_GUESSES = 3
#: A phone number offered by a viewer asks the host to leave the platform.
PHONE_STRENGTH = 2.4

_TACTICS = frozenset(str(tactic) for tactic in Tactic)
_MENTION = re.compile(r"\s*@([\w.\-]{1,64})")
#: Cheap test before the (slow) phone number parser: at least seven digits, with what people put between them, that
#: are no part of a name or a mention.
_DIGITS = re.compile(r"(?<![\w@])\+?\(?(?:\d[\s().\-/]{0,3}){7}")
#: Regions in which a number without a country code is tried.
PHONE_REGIONS = ("GB", "US")

_NUMBER_WORDS = dict(
    one=1, two=2, three=3, four=4, five=5, six=6, seven=7, eight=8, nine=9, ten=10, eleven=11, twelve=12, thirteen=13,
    fourteen=14, fifteen=15, sixteen=16, seventeen=17, eighteen=18, nineteen=19, twenty=20,
)  # fmt: skip


class HostText(msgspec.Struct, frozen=True, gc=False):
    """What the host's own words show: exposures, and the age band they stated (None: none)."""

    signals: tuple[Signal, ...] = ()
    band: AgeBand | None = None


_NOTHING = HostText()


class TextDetector:
    """Reads texts with one pack set. Pure: the same text always gives the same signals."""

    def __init__(self, packs: PackSet, cache: Path | None = None, paraphrase: ParaphraseModel | None = None) -> None:
        """``cache``: where compiled packs are kept. ``paraphrase``: second thoughts, if any."""
        self.matcher = Matcher(packs, cache)
        self.paraphrase = paraphrase
        #: How many texts were read a second time: a figure for reports, which decides nothing.
        self.second_thoughts = 0
        #: the views of texts that show nothing, from viewers who are not suspected and from those who are
        self._quiet: tuple[Memory[Views], Memory[Views]] = (Memory(), Memory())
        #: joined texts in which no pattern fires
        self._apart: Memory[bool] = Memory()

    @property
    def packs(self) -> PackSet:
        """The packs in force."""
        return self.matcher.packs

    def look(self, text: str) -> Views:
        """The views of a text."""
        return self._quiet[0].get(text) or self._quiet[1].get(text) or views(text)

    def remember_quiet(self, text: str) -> None:
        """Take another detector's word, made of the same packs and model, that ``viewer`` finds nothing in a text."""
        self._quiet[False].keep(text, views(text))

    def viewer(
        self, text: str, host: str, confidence: float = 1.0, suspected: bool = False, seen: Views | None = None
    ) -> list[Signal]:
        """Tactics in a text that a viewer wrote (or said): at most one signal a tactic, the strongest.

        ``suspected``: this viewer showed a tactic before, so less doubt is enough for a second thought. ``seen``: the
        text's views, when they are known.
        """
        quiet = self._quiet[suspected]
        if quiet.get(text) is not None:
            return []
        seen = seen or views(text)
        hits = self.matcher.scan(text, seen, "viewer")
        phone = _phone(text)
        best: dict[str, Signal] = {}
        for hit in hits:
            _keep(best, _signal(hit, seen, 1.0))
        if phone is not None:
            note = "offers a phone number"
            _keep(best, Signal(Tactic.OFF_PLATFORM, PHONE_STRENGTH, "phone", *phone, "raw", note))
        if self.paraphrase is not None and all(signal.strength < SETTLED for signal in best.values()):
            self._second_thought(self.paraphrase, text, seen, suspected, best)
        if not best:
            quiet.keep(text, seen)
            return []
        factor = confidence
        mention = _MENTION.match(text)
        if mention is not None and mention.group(1).lower() != host.lower():
            factor *= ASIDE
        if factor == 1.0:
            return list(best.values())
        return [msgspec.structs.replace(signal, strength=signal.strength * factor) for signal in best.values()]

    def across(self, text: str, seen: Views, joins: list[Joined]) -> list[Signal]:
        """Tactics that only show when a short comment is read together with what went before it.

        ``joins`` come from ``fragments.joined`` over the comment's plain view. The span is the comment's own part.
        """
        lines = "\n".join(joined.text for joined in joins)
        # Whose the pieces are matters too: with another viewer's comment, which is the last one, more is asked for.
        key = f"{lines}\n" if joins[-1].shared else lines
        if self._apart.get(key):
            return []
        found = self._made_of_pieces(text, seen, joins) if self.matcher.fires_in(lines) else []
        if not found and self.paraphrase is not None:
            found = self._guessed_of_pieces(self.paraphrase, text, seen, joins)
        if not found:
            self._apart.keep(key, True)
        return found

    def _made_of_pieces(self, text: str, seen: Views, joins: list[Joined]) -> list[Signal]:
        found: dict[str, Signal] = {}
        for joined in joins:
            for pattern, end in self.matcher.scan_across(joined.text, joined.boundary, "viewer"):
                if pattern.strength < (OTHERS_LEAST if joined.shared else OWN_LEAST):
                    continue
                strength = pattern.strength * (OTHERS_FACTOR if joined.shared else 1.0)
                if pattern.label in found and found[pattern.label].strength >= strength:
                    continue
                offsets = align(text, seen.plain)
                last = min(len(seen.plain), end - joined.boundary)
                stop = offsets[last - 1] + 1 if offsets else len(text)
                label = Tactic(pattern.label)
                note = f"{MEANING[label]} (split over messages of {_whose(joined)})"
                found[label] = Signal(label, strength, pattern.name, 0, stop, "joined", note, joined.events)
        return list(found.values())

    def _guessed_of_pieces(self, model: ParaphraseModel, text: str, seen: Views, joins: list[Joined]) -> list[Signal]:
        """The model's guess at what no piece says alone: at all of one viewer's together, then at two viewers'."""
        # The last of a viewer's own is all of them together; after it comes the one with another viewer's, if any.
        for joined in joins[-2:] if joins[-1].shared else joins[-1:]:
            if not model.doubtful(joined.text, least=SHARED_DOUBT if joined.shared else DOUBT):
                continue
            if _guesses(model, seen.plain) or _guesses(model, joined.text[: joined.boundary - 1]):
                continue  # that was said by itself already
            self.second_thoughts += 1
            factor = OTHERS_FACTOR if joined.shared else 1.0
            found = [
                Signal(
                    one.tactic,
                    (min(MAX_STRENGTH, one.ratio) if not number else LEAST) * factor,
                    SOURCE,
                    0,
                    len(text),
                    "joined",
                    f"{MEANING[one.tactic]} (a model's guess, split over messages of {_whose(joined)})",
                    joined.events,
                    one.neighbour,
                )
                for number, one in enumerate([one for one in model.read(joined.text) if one.enough][:MAX_GUESSES])
            ]
            if found:
                return found
        return []

    def _second_thought(
        self, model: ParaphraseModel, text: str, seen: Views, suspected: bool, best: dict[str, Signal]
    ) -> None:
        """Let the model weigh what only weak patterns saw, and look for what none did."""
        if not best and not model.doubtful(seen.plain, SUSPECTED_DOUBT if suspected else DOUBT):
            return
        self.second_thoughts += 1
        # Benign words can be added to one phrase on purpose; where two clear patterns agree it has less of a say.
        clear = sum(signal.strength >= OWN_LEAST for signal in best.values())
        down = MAX_DOWN_AGREED if clear >= 2 else MAX_DOWN
        most_guessed = MAX_BESIDE if any(signal.strength >= HINT for signal in best.values()) else MAX_STRENGTH
        guesses = 0
        for found in model.read(seen.plain, frozenset(best)):
            known = best.get(found.tactic)
            if known is not None:
                most = down if known.strength < STRONG else MAX_DOWN_AGREED
                change = max(-most, min(0.0, found.ratio))
                guess = min(MAX_STRENGTH, found.ratio) if found.enough else LEAST
                strength = max(guess, known.strength + change)
                said = f"weighed {change:+.1f} by a model" if change <= -0.05 else "a model agrees"
                note = f"{known.note or MEANING[found.tactic]} ({said})"
                near = found.neighbour
                best[found.tactic] = msgspec.structs.replace(known, strength=strength, note=note, near=near)
            elif found.enough and guesses < MAX_GUESSES:
                # Beside what is known a guess is mentioned: it makes no second tactic of which enough was seen. And
                # beside a likelier guess it is only named.
                strength = min(most_guessed, found.ratio) if not guesses else LEAST
                strength += EVASION_BONUS if seen.hidden else 0.0
                guesses += 1
                note = f"{MEANING[found.tactic]} (a model's guess)"
                end, near = len(text), found.neighbour
                best[found.tactic] = Signal(found.tactic, strength, SOURCE, 0, end, "plain", note, near=near)

    def host(self, text: str, confidence: float = 1.0) -> HostText:
        """Exposures in a text that the host wrote or said."""
        seen = views(text)
        hits = self.matcher.scan(text, seen, "host")
        phone = _phone(text)
        if not hits and phone is None:
            return _NOTHING
        best: dict[str, Signal] = {}
        band: AgeBand | None = None
        for hit in hits:
            if hit.pattern.label == Exposure.STATED_AGE:
                years = _years(hit)
                if years is None or years >= 18:
                    continue
                stated = band_of_age(years)
                band = stated if band is None else band
            _keep(best, _signal(hit, seen, confidence))
        if phone is not None:
            note = "gives a phone number"
            _keep(best, Signal(Exposure.DISCLOSED_CONTACT, 1.0, "phone", *phone, "raw", note))
        return HostText(tuple(best.values()), band)


def _whose(joined: Joined) -> str:
    return "two viewers" if joined.shared else "one viewer"


def _guesses(model: ParaphraseModel, text: str) -> bool:
    return model.doubtful(text) and any(one.enough for one in model.read(text))


def _signal(hit: Hit, seen: Views, factor: float) -> Signal:
    pattern = hit.pattern
    label: Tactic | Exposure
    strength = pattern.strength * factor
    if pattern.label in _TACTICS:
        label = Tactic(pattern.label)
        if seen.hidden and hit.view == "folded":
            strength += EVASION_BONUS * factor
    else:
        label = Exposure(pattern.label)
    return Signal(label, strength, pattern.name, hit.start, hit.end, hit.view)


def _keep(best: dict[str, Signal], signal: Signal) -> None:
    known = best.get(signal.label)
    if known is None or signal.strength > known.strength:
        best[signal.label] = signal


def _years(hit: Hit) -> int | None:
    digits = hit.groups.get("age", "")
    return int(digits) if digits.isdigit() else _NUMBER_WORDS.get(hit.groups.get("word", ""))


def _phone(text: str) -> tuple[int, int] | None:
    """Where a valid phone number stands in a text, if one does."""
    digits = _DIGITS.search(text)
    if digits is None:
        return None
    for region in PHONE_REGIONS:
        for match in phonenumbers.PhoneNumberMatcher(text, region):
            if match.start >= digits.start():
                return match.start, match.end
    return None
