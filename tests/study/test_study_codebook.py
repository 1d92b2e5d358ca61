"""The codebook, validation that names row, field and reason, and studies in and out."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from upstander.study import codebook, files
from upstander.study.errors import StudyError
from upstander.study.folder import Study, create, read_rows
from upstander.study.invented import code_again, fill, invent
from upstander.study.settle import settle
from upstander.study.validate import Fault, faults, typed

ROW = {
    "item_id": "i1", "media_type": "image", "age_band": "11-13", "sex": "girl", "category": "B", "n_children": "1",
    "adult_visible": "no", "setting": "home", "alone": "yes", "capture_source": "webcam", "site_type": "forum",
    "dedicated_forum_id": "f1", "host_country": "NL", "domain_hash": "a" * 64, "commercial": "no",
    "original_location": "no", "duplicate_of": None, "assessed_at": "2026-03-01T12:00:00Z", "removed_at": None,
    "last_seen_at": None, "coder_id": "ada",
}  # fmt: skip
TRAINED = {"ada": True, "bo": False, "cy": True}


def check(*rows: dict[str, str | None], **options: object) -> list[Fault]:
    frame = pl.DataFrame(list(rows), schema=dict.fromkeys(rows[0], pl.String))
    return faults(frame, codebook.shipped(), TRAINED, **options)  # type: ignore[arg-type]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = create(tmp_path / "s", "A study", date(2026, 3, 1), {})
    made.add_coder("ada", date(2026, 1, 1))
    made.add_coder("cy", date(2026, 1, 1))
    made.add_coder("bo", None)
    return made


def test_the_codebook_has_every_field_with_a_rule_and_a_review_date() -> None:
    book = codebook.shipped()
    asked = {
        "item_id", "media_type", "age_band", "sex", "category", "n_children", "adult_visible", "setting", "alone",
        "capture_source", "site_type", "dedicated_forum_id", "host_country", "domain_hash", "commercial",
        "original_location", "duplicate_of", "assessed_at", "coder_id",
    }  # fmt: skip
    assert asked <= set(book.by_name)
    assert all(field.rule for field in book.fields)
    assert book.reviewed_on < book.review_by
    assert book.by_name["category"].trained
    assert all(field.schema for field in book.judged)


def test_a_good_row_has_no_fault() -> None:
    assert check(ROW) == []


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("age_band", "9-10", "is not one of 0-2, 3-6"),
        ("age_band", None, "is empty, and is required"),
        ("category", "D", "is not one of A, B, C"),
        ("n_children", "0", "is not a whole number from 1 to 99"),
        ("n_children", "two", "is not a whole number from 1 to 99"),
        ("host_country", "Netherlands", "does not fit"),
        ("domain_hash", "abc", "does not fit"),
        ("domain_hash", "www.example.test", "looks like an address"),
        ("item_id", "https://example.test/1.jpg", "looks like an address"),
        ("dedicated_forum_id", "forum.example.com", "looks like an address"),
        ("assessed_at", "2026-03-01", "is not a time such as"),
        ("assessed_at", "2026-03-01T12:00:00", "is not a time such as"),
        ("assessed_at", "2026-13-01T12:00:00Z", "is not a time such as"),
        ("coder_id", "eve", "is not a coder of this study"),
        ("duplicate_of", "i9", "names an item that is not there"),
        ("duplicate_of", "i1", "names the item itself"),
    ],
)
def test_a_wrong_value_is_named_by_row_field_and_reason(field: str, value: str | None, reason: str) -> None:
    second = {**ROW, "item_id": "i2"}
    found = check(second, {**ROW, field: value}, first=2)
    assert [(one.row, one.field) for one in found] == [(3, field)]
    assert reason in found[0].reason
    assert "example" not in str(found[0])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"adult_visible": "yes"}, "alone+adult_visible"),
        ({"n_children": "2"}, "alone+n_children"),
        ({"sex": "both", "alone": "no"}, "sex+n_children"),
    ],
)
def test_values_that_cannot_be_true_together_are_found(values: dict[str, str], field: str) -> None:
    assert [one.field for one in check({**ROW, **values})] == [field]


def test_category_is_refused_from_who_is_not_a_trained_assessor() -> None:
    found = check({**ROW, "coder_id": "bo"})
    assert [one.field for one in found] == ["category"]
    assert "only a trained assessor" in found[0].reason


def test_a_judged_value_without_a_coder_is_refused() -> None:
    found = check({**ROW, "coder_id": None})
    assert {"category", "age_band", "sex"} <= {one.field for one in found}


def test_a_column_that_is_not_in_the_codebook_is_refused_and_media_are_named() -> None:
    found = check({**ROW, "image_url": "x"})
    assert [one.field for one in found] == ["image_url"]
    assert "no media and no addresses" in found[0].reason


def test_a_duplicate_of_a_duplicate_is_refused() -> None:
    rows = [ROW, {**ROW, "item_id": "i2", "duplicate_of": "i1"}, {**ROW, "item_id": "i3", "duplicate_of": "i2"}]
    assert [(one.row, one.field) for one in check(*rows)] == [(3, "duplicate_of")]


def test_the_same_item_twice_by_one_coder_is_refused_and_by_two_is_not() -> None:
    assert {one.field for one in check(ROW, ROW)} == {"item_id"}
    assert check(ROW, {**ROW, "coder_id": "cy"}) == []


def test_many_equal_faults_are_listed_first_and_counted() -> None:
    found = check(*({**ROW, "item_id": f"i{at}", "sex": "x"} for at in range(50)))
    assert len(found) == 20
    assert found[0].count == 50


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),
    st.sampled_from(["Z", "z", "+00:00"]),
    st.sampled_from("Tt "),
)
def test_rfc_3339_times_are_read_to_the_millisecond(moment: datetime, zone: str, between: str) -> None:
    text = moment.strftime(f"%Y-%m-%d{between}%H:%M:%S.%f") + zone
    frame = pl.DataFrame([{**ROW, "assessed_at": text}], schema=dict.fromkeys(ROW, pl.String))
    assert faults(frame, codebook.shipped(), TRAINED) == []
    read = typed(frame, codebook.shipped())["assessed_at"][0]
    assert read == moment.replace(tzinfo=UTC, microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_what_is_exported_is_imported_the_same(tmp_path: Path, suffix: str) -> None:
    items = invent(200)
    path = tmp_path / f"items{suffix}"
    files.write(items, path)
    again = typed(files.read_text(path), codebook.shipped())
    assert_frame_equal(again, items)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"item_id": "i1"\n', encoding="utf-8")
    with pytest.raises(StudyError, match=r"a\.jsonl.*JSON Lines"):
        files.read_text(path)
    with pytest.raises(StudyError, match="is no format of studies"):
        files.read_text(tmp_path / "a.xlsx")
    path.write_text(json.dumps({"item_id": ["i1"]}) + "\n", encoding="utf-8")
    with pytest.raises(StudyError, match="lists or objects"):
        files.read_text(path)


def test_domains_are_hashed_under_the_studys_key_and_never_kept(study: Study, tmp_path: Path) -> None:
    row = {**ROW, "domain": "Example.TEST."}
    del row["domain_hash"]
    path = tmp_path / "in.csv"
    pl.DataFrame([row]).write_csv(path)
    frame, first = read_rows(path, study)
    assert study.check(frame, first) == []
    study.take_in(frame)
    expected = hmac.new(study.key, b"example.test", hashlib.sha256).hexdigest()
    assert study.items()["domain_hash"].to_list() == [expected]
    kept = b"".join(one.read_bytes() for one in study.folder.iterdir() if one.is_file())
    assert b"example" not in kept.lower()
    assert (study.folder / "domain.key").stat().st_mode & 0o077 == 0


def test_a_whole_address_in_the_column_of_domains_is_refused(study: Study, tmp_path: Path) -> None:
    row = {**ROW, "domain": "https://example.test/x"}
    del row["domain_hash"]
    path = tmp_path / "in.csv"
    pl.DataFrame([row]).write_csv(path)
    found = study.check(*read_rows(path, study))
    assert [(one.row, one.field) for one in found] == [(2, "domain_hash")]


def text_rows(*rows: dict[str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict.fromkeys(rows[0], pl.String))


def test_facts_may_not_change_but_removal_may_be_told_later(study: Study) -> None:
    study.take_in(text_rows({**ROW, "last_seen_at": "2026-03-02T00:00:00Z"}))
    uncoded = {**ROW, **{field.name: None for field in study.codebook.fields if field.judged}}
    study.take_in(text_rows({**uncoded, "last_seen_at": "2026-03-05T00:00:00Z", "removed_at": "2026-03-09T00:00:00Z"}))
    kept = study.items().row(0, named=True)
    assert (kept["last_seen_at"].day, kept["removed_at"].day, study.items().height) == (5, 9, 1)
    with pytest.raises(StudyError, match="facts differ"):
        study.take_in(text_rows({**uncoded, "host_country": "US"}))
    with pytest.raises(StudyError, match="coded by this coder before"):
        study.take_in(text_rows(ROW))
    assert study.items().height == study.codings().height == 1


def test_where_coders_differ_the_item_is_in_no_table_until_somebody_decides(study: Study) -> None:
    study.take_in(text_rows(ROW, {**ROW, "coder_id": "cy", "category": "C"}, {**ROW, "item_id": "i2"}))
    settled = settle(study)
    assert settled.items["item_id"].to_list() == ["i2"]
    assert [(one.item_id, one.field, one.values) for one in settled.open] == [
        ("i1", "category", {"ada": "B", "cy": "C"})
    ]
    assert (settled.waiting, settled.double_coded) == (1, 1)


def test_a_study_of_another_codebook_is_not_opened(study: Study) -> None:
    path = study.folder / "study.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"codebook": 1', '"codebook": 2'), encoding="utf-8")
    with pytest.raises(StudyError, match="was coded by codebook 2"):
        Study(study.folder)
    with pytest.raises(StudyError, match="is not a study"):
        Study(study.folder / "nowhere")


def test_invented_items_hold_to_the_codebook(study: Study) -> None:
    both = pl.concat([invent(500), code_again(invent(500), 0.2, 0.1)])
    for name in ("ada", "bo", "cy"):
        study.add_coder(name, date(2026, 1, 1))
    assert study.check(files.as_text(both)) == []
    fill(study, 300)
    whole = study.items().join(study.codings(), on="item_id")
    assert study.check(files.as_text(whole)) == []
