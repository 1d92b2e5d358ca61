"""Which card for which decision: a pure function of what is passed in."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from upstander.model.vocabulary import SEVERE_TACTICS, AgeBand, Tactic
from upstander.nudge.cards import GENERAL, INTERNATIONAL, WORDINGS, HelpKind, Library, Listed, Sheet, Words
from upstander.nudge.payload import Card, Do, Offer, Place

T = Tactic

#: Tactics, gravest first: of several the gravest is spoken about.
GRAVEST_FIRST: tuple[Tactic, ...] = (
    T.THREAT,
    T.SEXUALISED_REQUEST,
    T.MEET_UP,
    T.OFF_PLATFORM,
    T.SECRECY,
    T.GIFT_LURE,
    T.DARE,
    T.AUDIENCE_PRESSURE,
    T.SUPERVISION_PROBE,
    T.DECEPTION,
    T.PERSONAL_PROBE,
    T.AGE_PROBE,
    T.TRUST_BUILDING,
    T.PRAISE_HOOK,
)

#: The same card is not shown to a host again within this long (milliseconds of the broadcast's own time).
COOLDOWN_MS = 600_000


def choose(
    library: Library,
    tactics: Collection[Tactic],
    band: AgeBand,
    language: str,
    country: str,
    shown_before: Mapping[str, int],
    *,
    now: int,
    identifier: str,
) -> Card | None:
    """The card for what was seen, or ``None`` when all that would fit were shown within the cooldown.

    ``language`` is one of the library's; a topic that it lacks is served by its general card, never by a card in
    another language. A ``country`` that is not listed is served by the international places of help.
    ``shown_before`` says when (epoch milliseconds) each topic's card was last shown to this host.
    """
    for topic in (*(tactic for tactic in GRAVEST_FIRST if tactic in tactics), GENERAL):
        sheet = library.sheets.get((language, topic)) or library.sheets[language, GENERAL]
        last = shown_before.get(sheet.front.topic)
        # A late event may be older than the card: that card is still fresh.
        if last is None or now - last >= COOLDOWN_MS:
            return make_card(library, sheet, band, country, identifier)
    return None


def make_card(library: Library, sheet: Sheet, band: AgeBand, country: str, identifier: str) -> Card:
    """A sheet's card for a band and a country."""
    front, words = sheet.front, library.words[sheet.front.language]
    wording = next(each for each in WORDINGS[band] if each in sheet.texts)
    text, labels = sheet.texts[wording], words.labels[wording]
    listed = library.directory.countries.get(country) or library.directory.countries[INTERNATIONAL]
    return Card(
        id=identifier,
        topic=front.topic,
        band=wording,
        language=front.language,
        direction=words.direction,
        urgent=front.topic in SEVERE_TACTICS,
        title=text.title,
        noticed=text.noticed,
        headings=words.headings,
        actions=tuple(Offer(do, labels[do]) for do in (*front.actions, Do.DISMISS)),
        help=tuple(_place(kind, listed, words) for kind in front.help if any(each.kind is kind for each in listed)),
        version=front.version,
    )


def language_of(asked: str, default: str, library: Library) -> str:
    """The library's language for a tag such as ``pt-BR``; ``default`` when there is none."""
    root = asked.replace("_", "-").split("-", 1)[0].lower()
    return root if root in library.words else default


def _place(kind: HelpKind, listed: tuple[Listed, ...], words: Words) -> Place:
    first = next(each for each in listed if each.kind is kind)
    return Place(first.name or words.emergency_number, words.help[kind], first.contact, first.url)
