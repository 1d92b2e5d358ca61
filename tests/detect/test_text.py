"""Texts to signals: what viewers and hosts show."""

from __future__ import annotations

import pytest

from upstander.detect import packs
from upstander.detect.text import ASIDE, TextDetector

_DETECTOR = TextDetector(packs.load(packs.bundled()))


def viewer(text: str, host: str = "host") -> dict[str, float]:
    return {signal.label: signal.strength for signal in _DETECTOR.viewer(text, host)}


def test_at_most_one_signal_a_tactic() -> None:
    signals = _DETECTOR.viewer("are your parents home? is your mum there? are your parents around?", "host")
    assert [s.label for s in signals] == ["supervision_probe"]


def test_spans_point_into_the_original() -> None:
    text = "psst: ARE y0ur p\u200barents h o m e ?"
    signal = _DETECTOR.viewer(text, "host")[0]
    assert text[signal.start : signal.end] == "ARE y0ur p\u200barents h o m e"
    assert signal.view == "folded"


def test_hiding_words_makes_them_weigh_more() -> None:
    assert (
        viewer("are your par\u200bents home")["supervision_probe"]
        > viewer("are your parents home")["supervision_probe"]
    )


def test_asides_weigh_less_and_mentions_of_the_host_do_not() -> None:
    plain = viewer("how old are you")["age_probe"]
    assert viewer("@kit how old are you")["age_probe"] == pytest.approx(plain * ASIDE)
    assert viewer("@HOST how old are you")["age_probe"] == plain


def test_confidence_scales_what_was_heard() -> None:
    sure = _DETECTOR.viewer("are your parents home", "host")[0].strength
    unsure = _DETECTOR.viewer("are your parents home", "host", 0.5)[0].strength
    assert unsure == pytest.approx(sure * 0.5)


@pytest.mark.parametrize("text", ["call me 020 7946 0958", "text +44 20 7946 0958", "(212) 555-0123 call"])
def test_a_phone_number_is_off_platform_from_a_viewer_and_contact_from_a_host(text: str) -> None:
    assert "off_platform" in viewer(text)
    assert "disclosed_contact" in {signal.label for signal in _DETECTOR.host(text).signals}


@pytest.mark.parametrize("text", ["@v_7473639671 lol", "1234567", "10000000 points", "0 0 0 0 0 0 0 0", "v7473639671"])
def test_other_digits_are_no_phone_number(text: str) -> None:
    assert "off_platform" not in viewer(text)


@pytest.mark.parametrize(
    ("text", "band"),
    [("im 9", "under_10"), ("i'm eleven", "10_12"), ("i am 14 years old", "13_15"), ("im 17", "16_17")],
)
def test_a_stated_age_gives_a_band(text: str, band: str) -> None:
    found = _DETECTOR.host(text)
    assert "stated_age" in {signal.label for signal in found.signals}
    assert found.band == band


@pytest.mark.parametrize("text", ["im 34", "im 21 today", "level 12", "12 viewers wow"])
def test_an_adults_age_and_other_numbers_do_not(text: str) -> None:
    assert _DETECTOR.host(text).band is None


def test_hosts_are_not_read_as_viewers_nor_viewers_as_hosts() -> None:
    assert not _DETECTOR.host("are your parents home").signals
    assert "stated_age" not in viewer("im 12")
