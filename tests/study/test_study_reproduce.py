"""Published figures: what rounding allows, what contradicts itself, and what nobody may read from synthetic records."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from upstander.cli import group
from upstander.study.errors import StudyError
from upstander.study.published import FOLDER, Figure, Publication, read, shipped
from upstander.study.reproduce import Reproduction, Row, reproduce
from upstander.study.rounding import base_range, count_range, printed
from upstander.study.synthetic import Records


@pytest.fixture(scope="module")
def found() -> Reproduction:
    return reproduce(shipped())


def row(found: Reproduction, study: str, figure: str) -> Row:
    return next(one for one in found.rows if (one.study, one.figure) == (study, figure))


def test_98_percent_of_2082_is_2030_to_2050(found: Reproduction) -> None:
    assert count_range("98", 2082) == (2030, 2050)
    shown = row(found, "iwf-2018", "age_13")
    assert (shown.low, shown.high, shown.recomputed, shown.verdict) == (2030, 2050, "98", "agrees")


@given(base=st.integers(1, 5000), percent=st.integers(0, 1000), count=st.integers(0, 5000))
def test_a_count_is_in_the_range_exactly_when_it_prints_as_the_percentage(base: int, percent: int, count: int) -> None:
    count = min(count, base)
    text = f"{percent // 10}.{percent % 10}"
    low, high = count_range(text, base)
    exact = Decimal(100 * count) / Decimal(base)
    prints = {str(exact.quantize(Decimal("0.1"), way)) for way in (ROUND_HALF_UP, ROUND_HALF_DOWN)}
    assert (low <= count <= high) == (text in prints)


@given(count=st.integers(1, 5000), percent=st.integers(1, 100))
def test_every_base_in_the_range_prints_the_percentage_and_the_ones_beside_it_do_not(count: int, percent: int) -> None:
    found = base_range(str(percent), count)
    if found is None:
        return
    low, high = found
    for base in (low, high):
        assert count_range(str(percent), base)[0] <= count <= count_range(str(percent), base)[1]
    below, above = count_range(str(percent), low - 1), count_range(str(percent), high + 1)
    assert low == count or not below[0] <= count <= below[1]
    assert not above[0] <= count <= above[1]


def test_printing_keeps_the_decimals_of_the_model() -> None:
    assert (printed(2042, 2082, "0.0"), printed(2042, 2082, "96"), printed(1, 3, "0.00")) == ("98.1", "98", "33.33")


def test_the_secondary_count_of_girls_is_inconsistent_and_says_why(found: Reproduction) -> None:
    shown = row(found, "iwf-2018", "girls_secondary")
    assert shown.verdict == "inconsistent"
    assert shown.secondary
    assert "2,042 of 2,082 is 98.1%, not 96%" in shown.why
    assert row(found, "iwf-2018", "girls").verdict == "agrees"


def test_the_annual_figure_of_2022_is_on_another_base_and_the_base_is_named(found: Reproduction) -> None:
    shown = row(found, "iwf-annual", "girls_2022")
    assert (shown.verdict, shown.recomputed) == ("inconsistent", "95.1")
    assert "96% would need a base of 251,803 to 254,438" in shown.why


def test_every_conditional_of_2015_is_recomputed_on_its_own_base(found: Reproduction) -> None:
    bases = {one.figure: one.base_count for one in found.rows if one.study == "iwf-2015"}
    assert bases["webcam_15"] == bases["girls_15"] == bases["ab_15"] == bases["mobile_15"] == 667
    assert bases["ab_16"] == bases["c_16"] == 3803 - 667
    shown = {one.figure: (one.recomputed, one.verdict) for one in found.rows if one.study == "iwf-2015"}
    expected = {
        "age_15": "17.5", "age_10": "7.5", "webcam_15": "85.9", "mobile_15": "8.5", "girls_15": "93.1",
        "ab_15": "46.9", "ab_16": "27.6", "c_16": "72.4", "harvested": "89.9", "harvested_15": "100",
    }  # fmt: skip
    assert {name: shown[name] for name in expected} == {name: (value, "agrees") for name, value in expected.items()}
    harvested = row(found, "iwf-2015", "harvested_16")
    assert (harvested.low, harvested.high, harvested.verdict) == (3417 - 667, 3420 - 667, None)


def test_cross_tabulations_are_declared_unavailable_with_bounds_only(found: Reproduction) -> None:
    shown = row(found, "iwf-2018", "sex_by_category")
    assert (shown.verdict, shown.recomputed) == ("not derivable", None)
    assert (shown.low, shown.high) == (1989 + 365 - 2082, 385)
    with pytest.raises(StudyError, match="No independence is assumed"):
        Records(next(one for one in shipped() if one.id == "iwf-2018")).crosstab("sex", "category")


def test_synthetic_records_carry_all_marginals_at_once() -> None:
    publication = next(one for one in shipped() if one.id == "iwf-2018")
    records = Records(publication)
    assert records.frame.height == 2082
    for figure in publication.figures:
        if figure.variable and figure.percent:
            count, base = records.count(figure)
            assert printed(count, base, figure.percent) == figure.percent


def test_every_study_has_a_source_a_date_a_review_and_says_what_it_left_out() -> None:
    for publication in shipped():
        assert publication.source
        assert publication.published
        assert publication.reviewed_on < publication.review_by
        assert publication.left_out


def changed(publication: Publication, figure: str, **fields: object) -> Publication:
    figures = tuple(msgspec.structs.replace(one, **fields) if one.id == figure else one for one in publication.figures)
    return msgspec.structs.replace(publication, figures=figures)


@pytest.mark.parametrize(
    ("study", "figure", "fields"),
    [
        ("iwf-2018", "age_10", {"percent": "99"}),  # more aged 10 or under than 13 or under
        ("iwf-2018", "category_ab", {"percent": "17"}),  # fewer in A or B than in A
        ("iwf-2015", "c_16", {"percent": "71.4"}),  # A or B and C are not all
        ("iwf-2015", "webcam_15", {"count": 574}),
        ("iwf-2015", "harvested", {"percent": "9.9"}),  # fewer in all than among 15 or under
    ],
)
def test_a_changed_figure_is_found_out(study: str, figure: str, fields: dict[str, object]) -> None:
    publication = next(one for one in shipped() if one.id == study)
    again = reproduce([changed(publication, figure, **fields)])
    assert row(again, study, figure).verdict == "inconsistent"
    assert figure in {one.figure for one in again.unexpected}


def test_a_figure_without_a_base_or_a_count_is_not_derivable() -> None:
    publication = next(one for one in shipped() if one.id == "iwf-2018")
    lone = Figure("lone", "a share of something", known="not derivable", percent="40")
    again = reproduce([msgspec.structs.replace(publication, figures=(*publication.figures, lone))])
    assert row(again, "iwf-2018", "lone").verdict == "not derivable"


def test_the_command_passes_as_shipped_and_fails_when_a_verdict_changes(tmp_path: Path) -> None:
    assert CliRunner().invoke(group, ["study", "reproduce"], standalone_mode=False).return_value == 0
    text = (FOLDER / "iwf-2018.yaml").read_text(encoding="utf-8")
    mine = tmp_path / "mine.yaml"
    mine.write_text(text.replace('percent: "28"', 'percent: "99"'), encoding="utf-8")
    result = CliRunner().invoke(group, ["study", "reproduce", str(mine), "--json"], standalone_mode=False)
    assert result.return_value == 1
    assert "age_10" in json.loads(result.output)["unexpected"]


def test_strict_also_fails_on_a_known_inconsistency() -> None:
    def status(*options: str) -> object:
        return CliRunner().invoke(group, ["study", "reproduce", *options], standalone_mode=False).return_value

    assert status("--study", "iwf-2018", "--strict") == 1
    assert status("--study", "iwf-2015", "--strict") == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('percent: "28"', 'percent: "128"', "percent"),
        ("variable: sex,", "variable: sexe,", "'sexe' is not defined"),
        ("levels: [girls]", "levels: [grils]", "'grils' is not defined"),
        ("known: inconsistent", "known: maybe", "known"),
        ("unit:", "units:", "unit"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_in_it(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (FOLDER / "iwf-2018.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StudyError, match=message) as error:
        read(path)
    assert "wrong.yaml" in str(error.value)
