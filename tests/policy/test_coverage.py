"""What a running configuration meets of the presets: every row is listed, and what is missing is named."""

from __future__ import annotations

import pytest

from upstander.adapters.base import Capability
from upstander.model.vocabulary import AgeBand, AgeSource, Intervention
from upstander.policy import presets
from upstander.policy.coverage import Declared, Finding, Result, Running, coverage
from upstander.policy.presets import Feature, Status

SHIPPED = presets.load(presets.bundled())
ALL = frozenset(str(name) for name in Intervention)
START = frozenset({"disable_gifts", "disable_comments", "disable_invites", "hide_counts"})
WORD = Declared(
    off_for_children=tuple(Feature),
    minimum_host_age=18,
    age_sources=(AgeSource.VERIFIED,),
    report_route=True,
    moderators_always=True,
)


def running(**changes: object) -> Running:
    values: dict[str, object] = {
        "capabilities": {}, "serves": {}, "served_by": {}, "starts": dict.fromkeys(AgeBand, frozenset()),
        "report_calls": False, "kept_days": None, "declared": Declared(),
    }  # fmt: skip
    return Running(**(values | changes))  # type: ignore[arg-type]


ABLE = {"capabilities": {"site": frozenset(map(str, Capability))}, "serves": {"site": ALL}}


def findings(**changes: object) -> dict[str, Finding]:
    return {finding.row: finding for finding in coverage(SHIPPED, running(**changes))}


def test_every_row_is_listed_whatever_runs() -> None:
    rows = [row.id for preset in SHIPPED for row in preset.rows]
    for changes in ({}, ABLE, {"declared": WORD}):
        assert [finding.row for finding in coverage(SHIPPED, running(**changes))] == rows


def test_every_finding_says_why_or_what_is_missing() -> None:
    for finding in findings().values():
        assert finding.why or finding.missing
        if finding.result is Result.NOT_MET:
            assert finding.missing
            assert not finding.why
        if finding.result is Result.PEOPLE:
            assert finding.people


def test_nothing_configured_meets_nothing_that_is_asked_of_a_platform() -> None:
    found = findings()
    assert not [f for f in found.values() if f.result is Result.MET]
    assert found["gb-ofcom-gifts"].result is Result.NOT_MET
    assert any("add [[adapters]]" in text for text in found["gb-ofcom-gifts"].missing)
    assert found["us-report-preservation"].result is Result.PARTLY


def test_everything_there_leaves_only_what_people_must_do() -> None:
    found = findings(**ABLE, starts=dict.fromkeys(AgeBand, START), report_calls=True, declared=WORD)
    for finding in found.values():
        assert not finding.missing
        assert finding.result is not Result.NOT_MET
        assert (finding.result is Result.MET) == (not finding.people)
        assert not finding.fails


def test_an_intervention_counts_only_when_it_is_asked_for_at_the_start_and_can_be_carried_out() -> None:
    asked = findings(starts=dict.fromkeys(AgeBand, START))["gb-ofcom-gifts"]
    able = findings(**ABLE)["gb-ofcom-gifts"]
    both = findings(**ABLE, starts=dict.fromkeys(AgeBand, START))["gb-ofcom-gifts"]
    assert (asked.result, able.result, both.result) == (Result.PARTLY, Result.PARTLY, Result.MET)
    assert "under-10" in able.missing[0]
    assert not both.declared


def test_one_age_band_left_out_is_named() -> None:
    starts = dict.fromkeys(AgeBand, START) | {AgeBand.FROM_16_TO_17: frozenset()}
    finding = findings(**ABLE, starts=starts)["gb-ofcom-gifts"]
    assert finding.result is Result.PARTLY
    assert "(host: 16-17)" in finding.missing[0]


def test_every_platform_needs_an_adapter_that_can() -> None:
    found = findings(
        capabilities={"site": frozenset({"disable_gifts"}), "live": frozenset({"pause"})},
        serves={"site": frozenset({"disable_gifts"}), "live": frozenset({"pause"})},
        served_by={"disable_gifts": "disable_gifts"},
        starts=dict.fromkeys(AgeBand, START),
    )["gb-ofcom-gifts"]
    assert found.result is Result.PARTLY
    assert found.missing == ('no adapter of live can: add one with "disable_gifts" in its `capabilities`',)


def test_what_the_operator_declares_counts_and_is_marked() -> None:
    found = findings(declared=WORD)
    assert found["gb-ofcom-screen-capture"].result is Result.MET
    assert found["gb-ofcom-screen-capture"].declared
    assert found["gb-ofcom-comments"].result is Result.MET
    assert found["platform-tiktok-live-18"].result is Result.MET
    assert all("declared in the settings" in text for text in found["gb-ofcom-reactions"].why)
    # The operator's word does not make a report reach anybody here.
    assert found["gb-ofcom-report-route"].result is Result.PARTLY


@pytest.mark.parametrize(
    ("declared", "row", "key"),
    [
        (Declared(off_for_children=(Feature.SCREEN_CAPTURE,)), "gb-ofcom-screen-capture", "off_for_children"),
        (Declared(minimum_host_age=15), "au-under-16", "minimum_host_age = 16"),
        (Declared(age_sources=(AgeSource.VERIFIED, AgeSource.DECLARED)), "gb-ofcom-age-checks", "age_sources"),
        (Declared(), "gb-ofcom-report-route", "report_route = true"),
        (Declared(), "gb-ofcom-moderators", "moderators_always = true"),
    ],
)
def test_what_is_missing_names_the_setting(declared: Declared, row: str, key: str) -> None:
    missing = findings(**ABLE, declared=declared)[row].missing
    assert any(key in text and "[presets.platform]" in text for text in missing)


def test_a_policy_that_pauses_hosts_who_are_too_young_meets_a_minimum_age() -> None:
    young = {AgeBand.UNDER_10, AgeBand.FROM_10_TO_12, AgeBand.FROM_13_TO_15}
    starts = {band: frozenset({"pause"}) if band in young else frozenset() for band in AgeBand}
    found = findings(starts=starts)
    assert found["platform-youtube-live-16"].why == (
        "the policy pauses a broadcast at its start when the host is under 16",
    )
    assert found["platform-tiktok-live-18"].result is Result.NOT_MET


def test_records_that_are_deleted_too_soon_are_no_preservation() -> None:
    assert findings(kept_days=90)["us-report-preservation"].result is Result.NOT_MET
    assert findings(kept_days=365)["us-report-preservation"].result is Result.PARTLY


def test_only_rules_in_force_fail_and_no_other_platforms_house_rules() -> None:
    for finding in findings().values():
        if finding.fails:
            assert finding.status is Status.IN_FORCE
            assert not finding.example
    assert findings()["au-under-16"].fails
    assert not findings()["gb-ofcom-gifts"].fails
    assert not findings()["platform-tiktok-live-18"].fails
    assert not findings()["us-report-duty"].fails
