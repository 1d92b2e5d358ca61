"""Rule expressions: what they can speak of, what is refused, and that nothing accepted can fail."""

from __future__ import annotations

import itertools

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upstander.model.vocabulary import Exposure, Level, Tactic
from upstander.policy.language import MAX_EXPRESSION, MAX_NUMBER, check, compile_expression
from upstander.policy.variables import KINDS, MEANINGS, PROTECTIONS, VARIABLES, Kind

DECLARED = VARIABLES | {"counter": Kind("map", ("gifts",), "int"), "sequence": Kind("map", ("after",), "bool")}
VALUES: dict[str, object] = {
    **{level.name: int(level) for level in Level},
    "kind": "comment",
    "protection": "child",
    "band": "10_12",
    "level": 2,
    "crowd_level": 1,
    "belief": 3.5,
    "crowd_belief": 0.5,
    "pressing": 3,
    "events": 4,
    "muted": False,
    "tactics": ["dare", "secrecy"],
    "seen": ["dare"],
    "evidence": {str(tactic): 0.0 for tactic in Tactic} | {"dare": 2.0},
    "exposures": ["alone"],
    "counter": {"gifts": 2},
    "sequence": {"after": True},
}


def holds(expression: str, **changes: object) -> bool:
    assert check(expression, DECLARED) is None, check(expression, DECLARED)
    found = compile_expression(expression).execute(cel.Context(VALUES | changes))
    assert isinstance(found, bool)
    return found


def test_every_variable_has_a_meaning_and_every_meaning_a_variable() -> None:
    levels = {level.name for level in Level}
    assert set(MEANINGS) == set(DECLARED) - levels == set(VALUES) - levels


TRUE = [
    'kind == "comment"', 'protection in ["child", "teen"]', 'band == "10_12"', "level >= CONCERN", "level < URGENT",
    "crowd_level == NOTICE", "belief > 3.4", "crowd_belief <= 0.5", "pressing >= 3", "events != 3", "!muted",
    '"dare" in tactics', '!("distress" in exposures)', '"dare" in seen', "evidence.dare == 2.0",
    'evidence["secrecy"] == 0.0', '"alone" in exposures', "counter.gifts > 1", "sequence.after",
    'counter["gifts"] == 2',
    "size(tactics) == 2", 'tactics.exists(t, t == "dare")', "!tactics.all(t, t in seen)",
    "tactics.exists_one(t, t in seen)", "level + 1 == URGENT", "level - 1 == NOTICE", "2 * events == 8",
    "belief * 2.0 == 7.0", "belief / 2.0 == 1.75", "-belief < 0.0", "-level < 0", "muted ? false : true",
    "(muted || level > 1) && events > 1", "level in [CONCERN, URGENT]", "belief in [3.5, 4.0]", "muted == false",
    "kind != 'gift'", "true", "CLEAR < NOTICE && NOTICE < CONCERN && CONCERN < URGENT && URGENT < EMERGENCY",
    "level > 1 // a comment",
]  # fmt: skip


@pytest.mark.parametrize("expression", TRUE)
def test_every_variable_and_operator_works(expression: str) -> None:
    assert holds(expression)


def test_every_value_of_the_vocabulary_can_be_named() -> None:
    for variable, values in (("kind", KINDS), ("protection", PROTECTIONS)):
        for value in values:
            assert holds(f'{variable} == "{value}"', **{variable: value})
    for tactic in Tactic:
        assert holds(f'"{tactic}" in tactics && evidence.{tactic} >= 0.0', tactics=[str(tactic)])
    for exposure in Exposure:
        assert holds(f'"{exposure}" in exposures', exposures=[str(exposure)])


REFUSED = {
    'kind == "coment"': "comment", "beleif > 1.0": "belief", "evidence.darre > 1.0": "dare",
    "counter.gfts > 1": "gifts",
    "evidence.dare > 1": "1.0", "level = 3": "==", "muted and muted": "&&", "muted == True": "true",
    "level => 3": ">=", "kind is 3": "==", "not muted": "!", '"dare" in evidence': "evidence.dare",
}  # fmt: skip


@pytest.mark.parametrize("expression", REFUSED)
def test_what_is_misspelt_comes_with_a_suggestion(expression: str) -> None:
    fault = check(expression, DECLARED)
    assert fault is not None
    assert REFUSED[expression] in fault.fix


NOT_THERE = [
    "level", "level > 1.0", 'level > "1"', "kind > 1", "kind + kind == kind", "tactics == 1", "evidence == evidence",
    "level.part > 1", "seen[0] == 'dare'", "events / 2 > 1", "events % 2 == 0", "events * events > 1",
    "belief % 2.0 > 1.0",
    "1u > 0u", "null == null", "b'a' == b'a'", "{} == {}", "[] == []", "[[1]].exists(x, true)", "kind.matches('.*')",
    "type(level) == int", "has(evidence.dare)", "tactics.map(t, t) == tactics", "tactics.exists(level, true)",
    "tactics.exists(if, true)", "tactics.exists(1, true)", "tactics.exists()", "size()", "level{} > 1", ".level > 1",
    "99999999999999999999 > 1", "1e400 > belief", "5. > belief", "0x10 > level", "belief in [1]", "level > 1 > 0",
    'kind == r"comment"', 'kind == "com\\u006dent"', 'kind == """comment"""', "level > 1)", "(level > 1", "'a",
    "", " ", "&&", "level >", "!" * 400 + "muted", "-" * 400 + "1 < 1", "(" * 400 + "muted" + ")" * 400,
]  # fmt: skip


@pytest.mark.parametrize("expression", NOT_THERE)
def test_what_could_fail_or_means_nothing_is_refused(expression: str) -> None:
    fault = check(expression, DECLARED)
    assert fault is not None
    assert 0 <= fault.start <= len(expression)
    assert fault.reason
    assert fault.fix


def test_the_largest_numbers_that_are_accepted_do_not_overflow() -> None:
    chain = "+".join([f"{MAX_NUMBER}*events"] * 50)
    assert holds(f"{chain} > 0", events=10_000_000)
    chain = "-".join(["events"] * 100)
    assert len(chain) < MAX_EXPRESSION
    assert holds(f"{chain} < 0", events=2**53)


_TOKENS = st.sampled_from([
    *DECLARED, "evidence.dare", 'evidence["dare"]', "counter.gifts", "sequence.after", '"dare"', '"child"', '"x"',
    "'a'", "1", "0", "-1", "2.5", "1e3", "0x1", "true", "false", "null", "&&", "||", "!", "==", "!=", "<", ">=", "in",
    "+", "-", "*", "/", "%", "?", ":", "(", ")", "[", "]", "{", "}", ".", ",", "size(", "tactics.exists(t, ", "t", '"',
    "\\", "//", "\n",
])  # fmt: skip
_GROWN = st.recursive(
    st.sampled_from(["muted", "true", "level > 1", '"dare" in seen', "sequence.after", "1 + 2 * level < 9"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from([" && ", " || ", " == ", " != "]), inner).map("".join).map("({})".format)
        | inner.map("!({})".format)
        | inner.map("tactics.exists(t, {})".format)
        | st.tuples(inner, inner, inner).map(lambda three: f"({three[0]} ? {three[1]} : {three[2]})")
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.lists(_TOKENS, max_size=12).map(" ".join) | st.lists(_TOKENS, max_size=12).map("".join) | st.text(max_size=40)
)
def test_any_text_is_refused_with_a_fault_or_can_be_evaluated(expression: str) -> None:
    fault = check(expression, DECLARED)
    if fault is None:
        for muted, belief in itertools.product((True, False), (0.0, 1e308)):
            assert holds(expression, muted=muted, belief=belief) in (True, False)
    else:
        assert 0 <= fault.start <= len(expression)


@settings(max_examples=150, deadline=None)
@given(_GROWN, st.fixed_dictionaries({
    "muted": st.booleans(), "level": st.integers(0, 4), "belief": st.floats(0, 1e6),
    "tactics": st.lists(st.sampled_from([str(tactic) for tactic in Tactic]), unique=True),
    "sequence": st.fixed_dictionaries({"after": st.booleans()}),
}))  # fmt: skip
def test_what_is_accepted_gives_true_or_false_whatever_happens(expression: str, values: dict[str, object]) -> None:
    if check(expression, DECLARED) is None:
        assert holds(expression, **values) in (True, False)
