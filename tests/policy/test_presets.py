"""Presets as data: every row that ships has a source and a date, and a broken one is refused at its line."""

from __future__ import annotations

import datetime

import pytest

from upstander.adapters.base import Capability
from upstander.model.vocabulary import Intervention
from upstander.policy import presets
from upstander.policy.presets import Kind, Preset, PresetError, Row, Status

SHIPPED = presets.load(presets.bundled())
ROWS = [row for preset in SHIPPED for row in preset.rows]
GOOD = """\
jurisdiction: xx
presets:
  - id: xx-one
    version: 1
    title: One
    rows:
      - id: xx-gifts
        measure: No gifts.
        status: proposed
        effective_from: null
        effective_note: not known
        source: {title: A rule, publisher: Somebody, date: 2025-06-30, url: "https://example.test/rule"}
        verified_on: null
        verification: not verified from here
        applies_to: {age_bands: ["10_12"], features: [gifts]}
        requires:
          - {intervention: disable_gifts, default_on: true}
"""


def read(text: str) -> tuple[Preset, ...]:
    return presets.load([("xx.yaml", text)])


def test_all_jurisdictions_and_examples_ship() -> None:
    assert {preset.id for preset in SHIPPED} == {
        "gb-ofcom-proposed", "gb-government-2026", "eu-dsa-article-28", "us-report-act", "au-minimum-age",
        "platform-tiktok-live", "platform-youtube-live", "platform-twitch",
    }  # fmt: skip
    assert {preset.id for preset in SHIPPED if preset.example} == {p.id for p in SHIPPED if p.id.startswith("platform")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_row_has_a_source_and_a_date(row: Row) -> None:
    assert row.source.title
    assert row.source.publisher
    assert row.source.date >= datetime.date(2022, 1, 1)
    assert row.source.url or row.source.seen_in
    assert row.effective_from or row.effective_note
    assert row.verification
    assert row.verified_on or "not verified from here" in row.verification.lower()
    assert row.age_bands
    assert row.features
    assert row.requires or row.human_only


def test_what_was_read_of_a_source_is_said_beside_the_day() -> None:
    for row in ROWS:
        if row.verified_on:
            assert row.verified_on >= row.source.date
            assert "read" in row.verification


def test_ofcoms_numbers_are_marked_as_unverified() -> None:
    numbered = [row for row in ROWS if row.code.startswith("ICU")]
    assert len(numbered) == 5
    assert not any(row.code_verified for row in numbered)


def test_what_is_only_proposed_is_not_said_to_be_in_force() -> None:
    for preset in SHIPPED:
        if preset.jurisdiction == "gb":
            assert all(row.status is Status.PROPOSED and row.effective_from is None for row in preset.rows)


def test_every_name_that_ships_exists_in_this_release() -> None:
    for row in ROWS:
        for need in row.requires:
            if need.kind is Kind.INTERVENTION:
                assert need.name in set(Intervention)
            if need.kind is Kind.CAPABILITY:
                assert need.name in set(Capability)
    assert set(presets.CAPABILITIES) <= set(Capability)
    assert {str(name) for name in presets.SWITCHES} <= set(Intervention)


def test_a_file_is_read_into_a_preset() -> None:
    (preset,) = read(GOOD)
    (row,) = preset.rows
    assert (preset.id, preset.version, preset.jurisdiction, preset.example) == ("xx-one", 1, "xx", False)
    assert row.source.date == datetime.date(2025, 6, 30)
    assert row.requires[0].feature is presets.Feature.GIFTS
    assert row.line == 7


SOURCE = '{title: A rule, publisher: Somebody, date: 2025-06-30, url: "https://example.test/rule"}'
NEED = "{intervention: disable_gifts, default_on: true}"


@pytest.mark.parametrize(
    ("old", "new", "line", "reason", "fix"),
    [
        (f"        source: {SOURCE}\n", "", 7, "a row has no `source`", "Add `source:`"),
        ("date: 2025-06-30", "date: null", 12, "`date` of the source is null", "2025-06-30"),
        ("date: 2025-06-30, ", "", 12, "`source` has no `date`", "Add `date:`"),
        ("date: 2025-06-30", "date: 2025-06-31", 12, "`date` is no date", "2025-06-30"),
        ("publisher: Somebody", 'publisher: ""', 12, "`publisher` is empty", "Write it out"),
        ('"https://example.test/rule"', "null", 12, "`url` of the source is null", "seen_in"),
        ("https://example", "ftp://example", 12, "no https address", "https://"),
        ("        effective_note: not known\n", "", 10, "`effective_from` is null without a note", "effective_note"),
        ("        verification: not verified from here\n", "", 7, "a row has no `verification`", "Add"),
        ("measure: No gifts.", "mesure: No gifts.", 8, "unknown key `mesure` in a row", "Did you mean `measure`?"),
        ("status: proposed", "status: propsed", 9, "`status` is `propsed`", "Did you mean `proposed`?"),
        ('"10_12"', '"10_13"', 15, "is `10_13`", "Did you mean `10_12`?"),
        ("[gifts]", "[gift]", 15, "is `gift`", "Did you mean `gifts`?"),
        ("[gifts]", "[]", 15, "`features` is empty", "gifts"),
        ("disable_gifts", "disable_gift", 17, "is `disable_gift`", "Did you mean `disable_gifts`?"),
        (NEED, "{}", 17, "a requirement names one thing", "minimum_host_age"),
        (NEED, "{minimum_host_age: 19}", 17, "from 1 to 18", ""),
        (NEED, "{minimum_age: 16}", 17, "unknown key `minimum_age`", "Did you mean `minimum_host_age`?"),
        (NEED, "{platform_off: gifts}", 17, "an intervention switches `gifts` off", "disable_gifts"),
        (NEED, "{report_route: false}", 17, "asks for nothing", "true"),
        (NEED, "{report_route: true, default_on: true}", 17, "does not go with", "Leave it away"),
        (NEED, "{capability: mute_viewr}", 17, "is `mute_viewr`", "Did you mean `mute_viewer`?"),
        ("default_on: true", "default_on: yes", 17, "neither true nor false", "true or false"),
        ("id: xx-gifts", "id: XX gifts", 7, "is odd", "hyphens"),
        ("id: xx-gifts", "id: xx-one", 7, "is taken in xx.yaml", "Rename"),
        ("version: 1", "version: one", 4, "`version` must be a number", "Write it plainly"),
        (f"requires:\n          - {NEED}", "requires: []", 16, "`xx-gifts` requires nothing", "human_only"),
    ],
)  # fmt: skip
def test_a_broken_row_is_refused_at_its_line(old: str, new: str, line: int, reason: str, fix: str) -> None:
    assert old in GOOD
    with pytest.raises(PresetError) as caught:
        read(GOOD.replace(old, new))
    assert len(caught.value.problems) == 1, caught.value.problems
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("xx.yaml", line)
    assert reason in problem.reason
    assert fix in problem.fix
    assert str(caught.value).startswith(f"xx.yaml:{line}:")


@pytest.mark.parametrize("text", ["", "presets", "presets: [", "- 1", "jurisdiction: xx\npresets: 3\n", "{1: 2}"])
def test_what_is_no_preset_file_is_refused(text: str) -> None:
    with pytest.raises(PresetError, match=r"^xx\.yaml:[12]:"):
        read(text.rstrip("\n"))


def test_two_files_cannot_share_an_id() -> None:
    with pytest.raises(PresetError, match=r"taken in a\.yaml"):
        presets.load([("a.yaml", GOOD), ("b.yaml", GOOD)])


def test_no_name_chooses_all_but_examples_and_a_wrong_one_is_answered_with_the_nearest() -> None:
    assert presets.chosen(SHIPPED, ()) == tuple(preset for preset in SHIPPED if not preset.example)
    assert presets.chosen(SHIPPED, ["none"]) == ()
    with pytest.raises(PresetError, match="does not go with"):
        presets.chosen(SHIPPED, ["none", "us-report-act"])
    assert [p.id for p in presets.chosen(SHIPPED, ["us-report-act"])] == ["us-report-act"]
    with pytest.raises(PresetError, match="Did you mean `us-report-act`"):
        presets.chosen(SHIPPED, ["us-report"])
