"""The choice of a card: pure, gravest first, never the same twice within its cooldown, in the host's language."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstander.model.vocabulary import SEVERE_TACTICS, AgeBand, Tactic
from upstander.nudge.cards import GENERAL, INTERNATIONAL, TOPICS, WORDINGS, shipped
from upstander.nudge.choose import COOLDOWN_MS, GRAVEST_FIRST, choose, language_of
from upstander.nudge.payload import Card

NOW = 1_790_000_000_000
LIBRARY = shipped()

tactics = st.lists(st.sampled_from(list(Tactic)), unique=True)
bands = st.sampled_from(list(AgeBand))
languages = st.sampled_from(LIBRARY.languages)
countries = st.sampled_from([*LIBRARY.directory.countries, "ZZ", ""])
times = st.integers(NOW - 2 * COOLDOWN_MS, NOW + COOLDOWN_MS)
shown = st.dictionaries(st.sampled_from(TOPICS), times)


def pick(*seen: Tactic, band: AgeBand = AgeBand.FROM_10_TO_12, language: str = "en", country: str = "GB", **more: int):
    return choose(LIBRARY, seen, band, language, country, more, now=NOW, identifier="a" * 32)


@given(tactics, bands, languages, countries, shown)
def test_a_card_always_fits_what_was_asked(
    seen: list[Tactic], band: AgeBand, language: str, country: str, before: dict[str, int]
) -> None:
    arguments = (LIBRARY, seen, band, language, country, before)
    card = choose(*arguments, now=NOW, identifier="x")
    assert card == choose(*arguments, now=NOW, identifier="x"), "the same is chosen from the same"
    reordered = choose(LIBRARY, seen[::-1], band, language, country, before, now=NOW, identifier="x")
    assert card == reordered, "the order of the tactics does not count"
    if card is None:
        assert NOW - before[GENERAL] < COOLDOWN_MS
        return
    assert card.topic in {*seen, GENERAL}
    assert NOW - before.get(card.topic, NOW - COOLDOWN_MS) >= COOLDOWN_MS, "not twice within the cooldown"
    assert card.language == language
    assert card.band in WORDINGS[band]
    assert card.urgent == (card.topic in SEVERE_TACTICS)
    assert card.help
    assert msgspec.json.decode(msgspec.json.encode(card), type=Card) == card


@given(tactics.filter(bool), bands)
def test_of_several_the_gravest_is_spoken_about(seen: list[Tactic], band: AgeBand) -> None:
    card = pick(*seen, band=band)
    assert card is not None
    assert card.topic == min(seen, key=GRAVEST_FIRST.index)


@given(st.lists(st.tuples(st.integers(0, COOLDOWN_MS // 2), tactics), max_size=12), languages)
def test_over_a_broadcast_no_card_comes_again_too_soon(steps: list[tuple[int, list[Tactic]]], language: str) -> None:
    now, before = NOW, {}
    for wait, seen in steps:
        now += wait
        card = choose(LIBRARY, seen, AgeBand.UNKNOWN, language, "", before, now=now, identifier="x")
        if card is not None:
            assert card.topic not in before or now - before[card.topic] >= COOLDOWN_MS
            before[card.topic] = now


def test_every_tactic_has_its_rank() -> None:
    assert sorted(GRAVEST_FIRST) == sorted(Tactic)
    assert set(GRAVEST_FIRST[:3]) == SEVERE_TACTICS


@pytest.mark.parametrize(
    ("band", "wording"),
    [
        ("under_10", "under_10"),
        ("10_12", "10_12"),
        ("13_15", "13_15"),
        ("16_17", "13_15"),
        ("unknown", "10_12"),
        ("adult", "13_15"),
    ],
)
def test_a_band_without_wording_of_its_own(band: str, wording: str) -> None:
    card = pick(Tactic.DARE, band=AgeBand(band))
    assert card is not None
    assert card.band == wording
    grave = pick(Tactic.THREAT, band=AgeBand(band))
    assert grave is not None
    assert grave.band == (wording if band not in ("16_17", "adult") else "16_17")


def test_when_the_gravest_was_just_shown_the_next_is_and_then_the_general_one() -> None:
    seen = (Tactic.THREAT, Tactic.DARE)
    for before, expected in (
        ({}, "threat"),
        ({"threat": NOW - 1}, "dare"),
        ({"threat": NOW - 1, "dare": NOW - 1}, "general"),
        ({"threat": NOW - COOLDOWN_MS, "dare": NOW - 1}, "threat"),
    ):
        card = pick(*seen, **before)
        assert card is not None
        assert card.topic == expected
    assert pick(*seen, threat=NOW, dare=NOW, general=NOW) is None


def test_a_topic_without_a_card_in_the_language_is_served_by_its_general_card() -> None:
    card = pick(Tactic.PRAISE_HOOK, language="de")
    assert card is not None
    assert (card.topic, card.language) == ("general", "de")
    # The general card counts as shown, whichever topic it stood for.
    assert pick(Tactic.PRAISE_HOOK, Tactic.AGE_PROBE, language="de", general=NOW - 1) is None


def test_places_of_help_are_the_countrys() -> None:
    british, elsewhere = pick(Tactic.THREAT, country="GB"), pick(Tactic.THREAT, country="ZZ")
    assert british is not None
    assert elsewhere is not None
    assert [(place.name, place.contact) for place in british.help] == [
        ("Childline", "0800 1111"),
        ("Report Remove", ""),
        ("Emergency number", "999"),
    ]
    names = {place.name for place in LIBRARY.directory.countries[INTERNATIONAL]}
    assert {place.name for place in elsewhere.help} <= names | {"Emergency number"}


@pytest.mark.parametrize(
    ("asked", "language"),
    [("en-GB", "en"), ("pt_BR", "pt"), ("ES", "es"), ("", "fr"), ("xx", "fr"), ("de-CH-1996", "de")],
)
def test_language_tags(asked: str, language: str) -> None:
    assert language_of(asked, "fr", LIBRARY) == language


def test_nothing_that_was_written_to_the_child_is_on_a_card() -> None:
    card = pick(*Tactic)
    assert card is not None
    said = msgspec.json.encode(card).decode()
    for text in ("are your parents home", "do a spin", "add me on"):
        assert text not in said
