"""The coding desk: keys, blindness, disagreements, and what a crash leaves."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from upstander.cli import group
from upstander.study import desk, files
from upstander.study.errors import StudyError
from upstander.study.folder import Entry, Study, create
from upstander.study.invented import invent
from upstander.study.settle import settle

#: Keys for: 11-13, girl, C, one child, no adult, home, alone, webcam, not at the original location; Enter.
KEYS = "413121112\r"
VALUES = {
    "age_band": "11-13", "sex": "girl", "category": "C", "n_children": "1", "adult_visible": "no", "setting": "home",
    "alone": "yes", "capture_source": "webcam", "original_location": "no",
}  # fmt: skip
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = create(tmp_path / "s", "A study", date(2026, 3, 1), {"double_share": 0.5})
    for name in ("ada", "cy", "dan"):
        made.add_coder(name, date(2026, 1, 1))
    items = files.as_text(invent(12).select([field.name for field in made.codebook.facts]))
    made.take_in(items.with_columns(pl.lit(None, dtype=pl.String).alias("duplicate_of")))
    return made


def at_desk(study: Study, keys: str, *options: str, coder: str = "ada") -> Result:
    return CliRunner().invoke(group, ["study", "code", str(study.folder), "--coder", coder, *options], input=keys)


def test_one_hand_codes_an_item(study: Study) -> None:
    result = at_desk(study, KEYS + "q")
    assert result.exit_code == 0, result.output
    coded = Study(study.folder).codings().row(0, named=True)
    shown = {name: coded[name] for name in ("age_band", "sex", "category", "n_children", "alone", "original_location")}
    assert shown == {"age_band": "11-13", "sex": "girl", "category": "C", "n_children": 1, "alone": "yes",
                     "original_location": "no"}  # fmt: skip
    assert coded["coder_id"] == "ada"
    assert "1 coded." in result.output


def test_back_the_rule_other_keys_and_skip(study: Study) -> None:
    first, second = [task.item_id for task in desk.queue(study, "ada")[:2]]
    result = at_desk(study, "s" + "3xb?" + KEYS + "q")
    assert "The age of the youngest child" in result.output
    coded = Study(study.folder).codings()
    assert coded["item_id"].to_list() == [second]
    assert coded["age_band"].to_list() == ["11-13"]
    assert first in [task.item_id for task in desk.queue(Study(study.folder), "ada")]


def test_what_cannot_be_true_together_is_coded_again(study: Study) -> None:
    result = at_desk(study, "413111112\r" + KEYS + "q")
    assert "an adult who is seen means that the child is not alone" in result.output
    assert Study(study.folder).codings()["adult_visible"].to_list() == ["no"]


def test_more_than_nine_children_are_typed(study: Study) -> None:
    at_desk(study, "4130" + "12\n" + "21212\r" + "q")
    found = Study(study.folder).codings()
    assert found["n_children"].to_list() == [12]


def test_the_second_coder_sees_nothing_of_the_first_not_even_that_there_was_one(study: Study) -> None:
    """The desk looks the same to the second coder, byte for byte, before and after the first one's work."""
    twice = [item for item in study.items()["item_id"] if desk.coded_twice(study, item)]
    assert 0 < len(twice) < 12
    before = at_desk(study, "s" * 20, coder="cy").output
    for item in twice:
        values = {**VALUES, "age_band": "14-15", "sex": "boy", "category": "A", "setting": "other"}
        desk.code(study, desk.Task(item, "image"), "ada", values, NOON)
    assert at_desk(study, "s" * 20, coder="cy").output == before


def test_only_drawn_items_come_to_a_second_coder_and_none_to_a_third(study: Study) -> None:
    at_desk(study, KEYS * 12)
    everything = set(study.items()["item_id"])
    twice = {item for item in everything if desk.coded_twice(study, item)}
    assert desk.queue(study, "ada") == []
    assert {task.item_id for task in desk.queue(study, "cy")} == twice
    at_desk(study, KEYS * len(twice), coder="cy")
    assert desk.queue(study, "dan") == []


def test_coders_meet_items_in_orders_of_their_own(study: Study) -> None:
    first, second = ([task.item_id for task in desk.queue(study, coder)] for coder in ("ada", "cy"))
    assert sorted(first) == sorted(second)
    assert first != second


def disagreement(study: Study) -> str:
    item = desk.queue(study, "ada")[0].item_id
    for coder, category in (("ada", "A"), ("cy", "C")):
        desk.code(study, desk.Task(item, "image"), coder, {**VALUES, "category": category}, NOON)
    return item


def test_a_third_person_decides_without_seeing_who_said_what(study: Study) -> None:
    item = disagreement(study)
    assert settle(study).waiting == 1
    result = at_desk(study, "2", "--settle", coder="dan")
    assert "coded as A or C" in result.output
    assert "ada" not in result.output
    settled = settle(Study(study.folder))
    assert settled.waiting == 0
    assert settled.items.filter(pl.col("item_id") == item)["category"].to_list() == ["B"]


def test_own_items_are_decided_only_by_consensus(study: Study) -> None:
    disagreement(study)
    assert "0 fields to decide" in at_desk(study, "", "--settle").output
    assert "1 decided" in at_desk(study, "1", "--settle", "--consensus").output
    assert Study(study.folder).entries()[-1].consensus


def test_who_is_no_trained_assessor_cannot_code(study: Study) -> None:
    study.add_coder("eve", None)
    for coder, reason in (("eve", "is not recorded as a trained assessor"), ("zoe", "is not a coder of this study")):
        result = at_desk(study, KEYS, coder=coder)
        assert result.exit_code == 2
        assert reason in result.output


def test_a_line_cut_short_by_a_crash_is_left_out_and_then_written_over(study: Study) -> None:
    at_desk(study, KEYS + "q")
    path = study.folder / "desk.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"coding","item_id":"i3","by"')
    assert Study(study.folder).codings().height == 1
    study.append(Entry("decision", "i1", "ada", NOON, {"category": "A"}))
    assert path.read_bytes().startswith(whole)
    assert len(Study(study.folder).entries()) == 2


def test_a_spoilt_line_is_named(study: Study) -> None:
    (study.folder / "desk.jsonl").write_bytes(b"nonsense\n")
    with pytest.raises(StudyError, match="line 1 cannot be read"):
        study.entries()
