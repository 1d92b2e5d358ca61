"""Several presets together: always the strictest, and one more never loosens."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstander.model.vocabulary import STRICTNESS, AgeBand, AgeSource, Intervention
from upstander.policy import presets
from upstander.policy.effective import BandRules, Effective, strictest
from upstander.policy.presets import Feature, Kind, Preset, Requirement, Row, Source, Status

SHIPPED = presets.load(presets.bundled())
BY_ID = {preset.id: preset for preset in SHIPPED}
CHILDREN = STRICTNESS[:4]


def row(name: str, bands: list[AgeBand], needs: list[Requirement]) -> Row:
    return Row(
        id=name, measure="m", code="", code_verified=False, jurisdiction="xx", status=Status.PROPOSED,
        effective_from=None, effective_note="n", source=Source("t", "p", datetime.date(2025, 1, 1), "https://example.test"),
        verified_on=None, verification="v", age_bands=tuple(bands), features=(Feature.CHAT,), requires=tuple(needs),
        human_only=(), line=1,
    )  # fmt: skip


def preset(name: str, *rows: Row) -> Preset:
    return Preset(id=name, version=1, title="t", jurisdiction="xx", example=False, rows=rows)


NEEDS = st.one_of(
    st.builds(
        Requirement, st.just(Kind.INTERVENTION), name=st.sampled_from(presets.INTERVENTIONS), default_on=st.booleans()
    ),
    st.builds(Requirement, st.just(Kind.CAPABILITY), name=st.sampled_from(presets.CAPABILITIES)),
    st.builds(Requirement, st.just(Kind.PLATFORM_OFF), name=st.sampled_from([str(f) for f in presets.PLATFORM_ONLY])),
    st.builds(Requirement, st.just(Kind.MINIMUM_HOST_AGE), number=st.integers(1, 18)),
    st.builds(Requirement, st.just(Kind.PRESERVATION_DAYS), number=st.integers(1, 3_660)),
    st.builds(
        Requirement,
        st.just(Kind.AGE_SOURCES),
        sources=st.lists(st.sampled_from(AgeSource), min_size=1, unique=True).map(tuple),
    ),
    st.just(Requirement(Kind.REPORT_ROUTE)),
)
BANDS = st.lists(st.sampled_from(AgeBand), min_size=1, unique=True)
ROWS = st.lists(st.builds(row, st.sampled_from("abcdef"), BANDS, st.lists(NEEDS, max_size=4)), min_size=1, max_size=4)
PRESETS = st.lists(st.builds(lambda name, rows: preset(name, *rows), st.sampled_from("pqrst"), ROWS), max_size=4)


def assert_no_looser(before: Effective, after: Effective) -> None:
    for band in AgeBand:
        was, now = before.of(band), after.of(band)
        assert was.off <= now.off
        assert set(was.starting) <= set(now.starting)
        assert was.capabilities <= now.capabilities
        assert was.preservation_days <= now.preservation_days
        assert was.minimum_host_age <= now.minimum_host_age
        if was.age_proof:
            assert now.age_proof
            assert now.age_sources <= was.age_sources
        for source in AgeSource:
            assert before.may_host(band, source).allowed or not after.may_host(band, source).allowed


@given(some=PRESETS, more=PRESETS)
def test_adding_a_preset_never_loosens(some: list[Preset], more: list[Preset]) -> None:
    assert_no_looser(strictest(some), strictest(some + more))


@given(chosen=st.lists(st.sampled_from(SHIPPED), unique=True), one=st.sampled_from(SHIPPED))
def test_adding_a_preset_that_ships_never_loosens(chosen: list[Preset], one: Preset) -> None:
    assert_no_looser(strictest(chosen), strictest([*chosen, *([] if one in chosen else [one])]))


@given(chosen=st.lists(st.sampled_from(SHIPPED), unique=True))
def test_the_order_does_not_matter(chosen: list[Preset]) -> None:
    assert strictest(chosen) == strictest(reversed(chosen))


def test_no_preset_is_no_rule() -> None:
    nothing = strictest(())
    assert all(nothing.of(band) == BandRules() for band in AgeBand)
    assert nothing.may_host(AgeBand.UNDER_10, AgeSource.NONE).allowed


def test_all_together_switch_off_what_any_of_them_does() -> None:
    everything = strictest(SHIPPED)
    for band in CHILDREN:
        rules = everything.of(band)
        assert {Feature.CHAT, Feature.REACTIONS, Feature.GIFTS, Feature.SCREEN_CAPTURE, Feature.COUNTS} <= rules.off
        assert Feature.INVITES in rules.off
        assert rules.preservation_days == 365
        assert rules.minimum_host_age == 18
    assert everything.of(AgeBand.ADULT).off == frozenset()
    assert everything.of(AgeBand.ADULT).preservation_days == 365


def test_what_to_ask_for_when_a_childs_broadcast_begins() -> None:
    ofcom = strictest([BY_ID["gb-ofcom-proposed"]])
    assert Intervention.DISABLE_GIFTS in ofcom.starting_interventions(AgeBand.FROM_10_TO_12)
    assert Intervention("disable_comments") in ofcom.starting_interventions(AgeBand.FROM_10_TO_12)
    assert Intervention.HIDE_COUNTS not in ofcom.starting_interventions(AgeBand.FROM_10_TO_12)
    assert Intervention.HIDE_COUNTS in strictest(SHIPPED).starting_interventions(AgeBand.FROM_10_TO_12)
    assert ofcom.starting_interventions(AgeBand.ADULT) == []


def test_an_intervention_that_this_release_does_not_know_is_left_out() -> None:
    need = Requirement(Kind.INTERVENTION, name="dim_the_lights", default_on=True)
    rules = strictest([preset("p", row("r", [AgeBand.UNDER_10], [need]))])
    assert rules.of(AgeBand.UNDER_10).starting == ("dim_the_lights",)
    assert rules.starting_interventions(AgeBand.UNDER_10) == []


def test_a_host_of_unknown_age_is_protected_as_the_oldest_child() -> None:
    for chosen in ([BY_ID["gb-ofcom-proposed"]], SHIPPED):
        rules = strictest(chosen)
        assert rules.of(AgeBand.UNKNOWN).off >= rules.of(AgeBand.FROM_16_TO_17).off


@pytest.mark.parametrize(
    ("band", "source", "allowed", "why"),
    [
        (AgeBand.FROM_13_TO_15, AgeSource.VERIFIED, False, "minimum age for hosting is 16 (au-under-16)"),
        (AgeBand.FROM_16_TO_17, AgeSource.VERIFIED, True, "16-17 (verified)"),
        (AgeBand.FROM_16_TO_17, AgeSource.DECLARED, False, "an age that is declared does not suffice"),
        (AgeBand.ADULT, AgeSource.ESTIMATED, True, "adult (estimated)"),
        (AgeBand.ADULT, AgeSource.NONE, False, "it is unproven"),
        (AgeBand.UNKNOWN, AgeSource.NONE, False, "the host's age is not known"),
    ],
)
def test_who_may_host_and_why(band: AgeBand, source: AgeSource, allowed: bool, why: str) -> None:
    hosting = strictest([BY_ID["au-minimum-age"]]).may_host(band, source)
    assert hosting.allowed is allowed
    assert why in hosting.why


def test_a_band_that_the_age_falls_into_counts_as_too_young() -> None:
    rules = strictest([preset("p", row("r", [AgeBand.UNDER_10], [Requirement(Kind.MINIMUM_HOST_AGE, number=14)]))])
    assert not rules.may_host(AgeBand.FROM_13_TO_15, AgeSource.VERIFIED).allowed
    assert rules.may_host(AgeBand.FROM_16_TO_17, AgeSource.NONE).allowed


def test_the_hash_names_exactly_these_rules() -> None:
    first = strictest([BY_ID["us-report-act"]])
    assert first.hash == strictest([BY_ID["us-report-act"]]).hash
    assert first.hash != strictest([BY_ID["au-minimum-age"]]).hash
    assert len(first.hash) == 64
