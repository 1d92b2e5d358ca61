"""Reading suites: types, and errors that say where and how to mend."""

from __future__ import annotations

import pytest

from upstander.evaluate import suites
from upstander.evaluate.split import Part
from upstander.evaluate.suites import Expected, SuiteError, parse
from upstander.model.vocabulary import Tactic

GOOD = """
tactic: dare
language: en
rows:
  - {id: plain, what: plain words, expected: fires, examples: ["a", "b"]}
  - {id: twin, what: friends among themselves, expected: spares, examples: ["c"]}
"""


def test_a_suite_is_read_into_types() -> None:
    suite = parse("x.yaml", GOOD)
    assert (suite.tactic, suite.language) == (Tactic.DARE, "en")
    assert [(row.id, text) for row, text in suite.lines(Expected.FIRES)] == [("plain", "a"), ("plain", "b")]
    assert [text for _, text in suite.lines(Expected.SPARES)] == ["c"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tactic: dare", "tactic: dares", "x.yaml: tactic: invalid enum value 'dares'"),
        ("language: en", "language: English", "language: 'English' is no language code. Write `language: en`."),
        ("id: twin", "id: plain", "row `plain`: the id is taken by a row above. Rename one."),
        ("id: twin", "id: Odd-One", "row `Odd-One`: the id is odd"),
        ("expected: spares", "expected: spare", "row `twin`.expected: invalid enum value 'spare'"),
        ('["c"]', "[no]", "row `twin`.examples[0]: expected `str`, got `bool`. Put each example in quotation marks"),
        ('["c"]', "[]", "row `twin`: `examples` is empty"),
        ('["c"]', '[" "]', "row `twin`: example 1 is empty or too long"),
        ("what: plain words", "what: ' '", "row `plain`: `what` is empty"),
        ("what: plain words, ", "", "row `plain`: object missing required field `what`"),
        ("what: plain words", "why: plain words", "row `plain`: object"),
        ("rows:", "rows: [", "line 5: not YAML"),
        (GOOD, "- a list", "x.yaml: expected `object`, got `array`"),
    ],
)
def test_errors_name_place_reason_and_fix(old: str, new: str, message: str) -> None:
    with pytest.raises(SuiteError) as error:
        parse("x.yaml", GOOD.replace(old, new))
    assert message in str(error.value)
    assert error.value.fix


@pytest.mark.parametrize("part", Part)
def test_every_tactic_has_firing_and_benign_lines_in_english(part: Part) -> None:
    loaded = suites.load(part, "en")
    assert {suite.tactic for suite in loaded} == set(Tactic)
    for suite in loaded:
        for expected in Expected:
            assert len(suite.lines(expected)) >= 20, (suite.tactic, expected)


def test_one_tactic_can_be_asked_for_and_what_is_not_there_is_said() -> None:
    assert [suite.tactic for suite in suites.load(Part.EXAMPLES, "en", [Tactic.DARE])] == [Tactic.DARE]
    with pytest.raises(SuiteError, match=r"no examples lines in `xx`. Languages that have some: .*en"):
        suites.load(Part.EXAMPLES, "xx")
