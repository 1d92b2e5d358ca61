"""What a card must be: complete, reviewed, easy to read, short, calm, never blaming, and with something to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import yaml

from upstander.model.vocabulary import AgeBand
from upstander.nudge import readability
from upstander.nudge.cards import BANDS, FOLDER, INTERNATIONAL, LOADER, NEEDED, HelpKind, Library, Sheet, Words
from upstander.nudge.payload import Do

#: Words on a card, title and buttons included: what fits on a telephone beside a stream.
MOST_WORDS: dict[AgeBand, int] = {
    AgeBand.UNDER_10: 45,
    AgeBand.FROM_10_TO_12: 70,
    AgeBand.FROM_13_TO_15: 70,
    AgeBand.FROM_16_TO_17: 70,
}
FEWEST_ACTIONS = 2
#: A review is good for this long (days).
LONGEST_REVIEW = 550

_MARKUP = re.compile(r"[*_`<>\[\]{}#|\\]|%[sd(]|https?:|www\.")
_QUOTES = re.compile("[\"“”„«»‹›]|(?<!\\w)['‘](?=\\w)")  # noqa: RUF001 - quotation marks of several languages


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: where (file, and the band when one is meant), which rule, and what to do."""

    path: Path
    band: str
    rule: str
    message: str

    def __str__(self) -> str:
        """One line."""
        where = f"{self.path}{f' [{self.band}]' if self.band else ''}"
        return f"{where}: {self.rule}: {self.message}"


class Wording(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What may not be said in one language, and which words may stand in capitals."""

    blame: tuple[str, ...]
    scare: tuple[str, ...]
    capitals: tuple[str, ...]


def read_wording(path: Path = FOLDER / "wording.yaml") -> tuple[dict[str, Wording], tuple[str, ...]]:
    """The lists by language, and the names of apps that no card may name."""
    tree = yaml.load(path.read_text(encoding="utf-8"), LOADER)  # noqa: S506 - text, lists and mappings only
    apps = tuple(tree.pop("apps"))
    return msgspec.convert(tree, dict[str, Wording]), apps


class Lint:
    """Checks a library against the rules. ``today`` decides whether a review is still good."""

    def __init__(self, library: Library, today: date) -> None:
        self.library, self.today = library, today
        self._wording, self._apps = read_wording()

    def faults(self) -> list[Fault]:
        """Everything that is wrong, in the order of the files. Reading levels only where textstat is installed."""
        found = [fault for sheet in self.library.sheets.values() for fault in self.of_sheet(sheet)]
        for language, words in self.library.words.items():
            found += self.of_words(language, words)
        return [*found, *self.of_directory()]

    def of_sheet(self, sheet: Sheet) -> Iterator[Fault]:
        """What is wrong with one card file."""
        path, front = sheet.path, sheet.front
        yield from (Fault(path, "", *found) for found in self._reviewed(front.reviewed_on, front.review_by))
        if not front.sources:
            yield Fault(path, "", "sources", "none is named. Say what the card rests on.")
        if len(set(front.actions) - {Do.DISMISS}) < FEWEST_ACTIONS:
            yield Fault(path, "", "actions", f"fewer than {FEWEST_ACTIONS}. A child needs a choice: {', '.join(Do)}.")
        if Do.DISMISS in front.actions:
            yield Fault(path, "", "actions", "`dismiss` is added to every card. Leave it out.")
        if not front.help:
            yield Fault(path, "", "help", f"no place of help. Name at least one of: {', '.join(HelpKind)}.")
        for band in NEEDED:
            if band not in sheet.texts:
                yield Fault(path, band, "bands", "no wording for this band. Only 16_17 may fall back to 13_15.")
        for band, text in sheet.texts.items():
            yield from (Fault(path, band, *found) for found in self.of_text(text.whole, front.language))
            labels = self.library.words[front.language].labels.get(band, {})
            whole = " ".join([text.title, text.noticed, *(labels.get(do, "") for do in front.actions)])
            if (count := len(whole.split())) > MOST_WORDS[band]:
                message = f"{count} words with title and buttons; at most {MOST_WORDS[band]} fit. Say less."
                yield Fault(path, band, "length", message)
            yield from self._reading(sheet, band)

    def of_words(self, language: str, words: Words) -> Iterator[Fault]:
        """What is wrong with a language's shared words."""
        path = FOLDER / "cards" / language / "words.yaml"
        for band in BANDS:
            if missing := [str(do) for do in Do if not words.labels.get(band, {}).get(do)]:
                yield Fault(path, band, "labels", f"no words for {', '.join(missing)}.")
        if missing := [str(kind) for kind in HelpKind if not words.help.get(kind)]:
            yield Fault(path, "", "help", f"no words for {', '.join(missing)}.")
        said = [words.headings.actions, words.headings.help, words.emergency_number, *words.help.values()]
        said += [label for labels in words.labels.values() for label in labels.values()]
        for text in said:
            yield from (Fault(path, "", *found) for found in self.of_text(text, language))

    def of_directory(self) -> Iterator[Fault]:
        """What is wrong with the places of help."""
        path, directory = FOLDER / "help.yaml", self.library.directory
        yield from (Fault(path, "", *found) for found in self._reviewed(directory.reviewed_on, directory.review_by))
        for country, listed in directory.countries.items():
            for kind in HelpKind:
                if all(each.kind is not kind for each in listed):
                    yield Fault(path, country, "help", f"no place of the kind {kind}. `{INTERNATIONAL}` shows which.")
            for each in listed:
                if not each.contact and not each.url:
                    yield Fault(path, country, "help", f"{each.name} has neither a number nor an address.")
                if not each.name and each.kind is not HelpKind.EMERGENCY:
                    yield Fault(path, country, "help", f"a place of the kind {each.kind} has no name.")
                if each.verified_on and each.verified_on > self.today:
                    yield Fault(path, country, "help", f"{each.name} was verified in the future.")

    def of_text(self, text: str, language: str) -> Iterator[tuple[str, str]]:
        """Rules broken by a text that a child reads: ``(rule, message)`` pairs."""
        wording = self._wording.get(language)
        if wording is None:
            yield "wording", f"wording.yaml has no lists for {language!r}. Write them before the cards."
            return
        for rule, phrases, why in (
            ("blame", wording.blame, "it can sound like blame. The child did nothing wrong."),
            ("scare", wording.scare, "it frightens. Say calmly what was noticed and what can be done."),
            ("app", self._apps, "advice about one app goes stale. Speak of apps in general."),
        ):
            for phrase in phrases:
                if re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.I):
                    yield rule, f"{phrase!r}: {why}"
        capitals = [word for word in re.findall(r"\b[^\W\d_]{2,}\b", text) if word.isupper()]
        if shouted := [word for word in capitals if word not in wording.capitals]:
            yield "shouting", f"{', '.join(shouted)} in capitals. Write it in small letters."
        if re.search("[!¡]", text):
            yield "shouting", "an exclamation mark. End with a full stop."
        if found := _QUOTES.search(text):
            yield "quote", f"{found[0]} opens a quotation. Never repeat what was written to the child."
        if found := _MARKUP.search(text):
            yield "markup", f"{found[0]!r}: a card is plain text, without links and places to fill in."

    def _reviewed(self, on: date, by: date) -> Iterator[tuple[str, str]]:
        if on > self.today:
            yield "review", f"reviewed_on {on} lies in the future."
        if by < self.today:
            yield "review", f"review_by {by} is past. Read it again, check its sources, and set both dates."
        if not 0 < (by - on).days <= LONGEST_REVIEW:
            yield "review", f"review_by {by} must follow reviewed_on {on} by at most {LONGEST_REVIEW} days."

    def _reading(self, sheet: Sheet, band: AgeBand) -> Iterator[Fault]:
        front = sheet.front
        scale = readability.MEASURES.get(front.language)
        if scale is None:
            yield Fault(sheet.path, "", "reading", f"no measure for {front.language!r}. Add one to readability.py.")
            return
        target = front.reading_target.get(band)
        if target is None or not scale.within(target, scale.bound(band)):
            message = f"reading_target is {target}; {scale.name} must be {scale.bound(band)} or easier."
            yield Fault(sheet.path, band, "reading", message)
        elif readability.available():
            value = readability.measure(sheet.texts[band].whole, front.language)
            if not scale.within(value, target):
                message = f"{scale.name} is {value}; the target is {target}. Use shorter sentences and words."
                yield Fault(sheet.path, band, "reading", message)
