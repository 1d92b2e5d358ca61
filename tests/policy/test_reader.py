"""A policy's file: everything that is wrong with it is found at its place, and said so that it can be mended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upstander.cli.policy_file import rendered
from upstander.policy.document import PolicyError
from upstander.policy.reader import load, read

SNAPSHOTS = Path(__file__).parent / "snapshots"
TEXT = Path(__file__).with_name("example.yaml").read_text()
RULE = 'counter.reports >= 3 && protection != "adult"'

#: name: what stands in the example, and what a hurried person writes instead
FAULTS = {
    "unknown_key": ("crowd: {viewers: 3, factor: 1.5}", "crowd: {viewers: 3, factr: 1.5}"),
    "unknown_section": ("cooldown:\n", "cooldowns:\n"),
    "unknown_tactic": ("teen: [threat, sexualised_request", "teen: [thread, sexualised_request"),
    "misspelt_variable": (RULE, 'counter.reports >= 3 && protektion != "adult"'),
    "misspelt_value": (RULE, 'counter.reports >= 3 && protection != "adlut"'),
    "wrong_type": (RULE, 'counter.reports >= "3"'),
    "not_true_or_false": (RULE, "counter.reports + 3"),
    "int_and_double": (RULE, "belief >= 5 && muted"),
    "unbalanced_bracket": (RULE, "(counter.reports >= 3 && muted"),
    "single_equals": (RULE, "counter.reports = 3"),
    "words_for_signs": (RULE, "counter.reports >= 3 and muted"),
    "unknown_counter": (RULE, "counter.report >= 3"),
    "unknown_function": (RULE, 'kind.matches("com.*")'),
    "bad_duration": ("slow_mode: 5m", "slow_mode: five minutes"),
    "bad_number": ("concern: 3.0, urgent: 5.0", "concern: three, urgent: 5.0"),
    "not_a_whole_number": ("minute: 60, day: 2000", "minute: 60.5, day: 2000"),
    "account_action": ("ask: [call_moderator]      #", "ask: [ban_account]      #"),
    "misspelt_intervention": ("ask: [disable_gifts, nudge_host]", "ask: [disable_gift, nudge_host]"),
    "only_a_person_may": ("ask: [disable_invites]", "ask: [end]"),
    "duplicate_rule": ("id: invites_beside_secrecy", "id: request_right_after_a_gift"),
    "rule_without_effect": ("    ask: [disable_invites]\n", ""),
    "rule_without_why": ("    why: asks the host to move elsewhere and to keep it secret\n", ""),
    "falling_thresholds": ("concern: 3.0, urgent: 5.0", "concern: 6.0, urgent: 5.0"),
    "not_yaml": ("crowd: {viewers: 3, factor: 1.5}", "crowd: {viewers: 3, factor: 1.5"),
    "empty_expression": (f"when: {RULE}", 'when: ""'),
    "no_expression": (f"when: {RULE}", "when:"),
    "too_long": (RULE, " || ".join(["muted"] * 130)),
    "nested_too_deeply": (RULE, "(" * 20 + "muted" + ")" * 20),
    "folded_expression": (
        f"when: {RULE}", "when: >\n      counter.reports >= 3\n      && beleif >= 3.0\n      && muted",
    ),
    "literal_expression": (f"when: {RULE}", "when: |\n      counter.reports >= 3\n      && beleif >= 3.0"),
    "quoted_expression": (
        f"when: {RULE}", "when: 'counter.reports >= 3\n      && kind == ''comment''\n      && beleif >= 3.0'",
    ),
    "escaped_expression": (f"when: {RULE}", 'when: "kind == \\"comment\\" && beleif >= 3.0"'),
    "plain_expression_on_two_lines": (f"when: {RULE}", "when: counter.reports >= 3\n      && beleif >= 3.0"),
    "sequence_of_one_step": ("steps: [[gift], [dare, sex", "steps: [[dare, gift, sex"),
    "window_too_long": ("of: [user_report], within: 10m", "of: [user_report], within: 2h"),
    "several": ("mode: live", "mode: life"),
}  # fmt: skip


def shown(text: str) -> str:
    tables, problems = read("policy.yaml", text)
    assert tables is None
    assert problems
    return "\n\n".join("\n".join(rendered(problem, text.splitlines())) for problem in problems) + "\n"


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_shown_at_its_place(name: str) -> None:
    """Against a file under ``snapshots``; UPSTANDER_SNAPSHOTS=write writes it anew."""
    before, after = FAULTS[name]
    assert before in TEXT
    found = shown(TEXT.replace(before, after))
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPSTANDER_SNAPSHOTS") == "write":
        SNAPSHOTS.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_no_snapshot_is_left_over() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.txt")} == set(FAULTS)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "just words", "name: x", "a: &a [*a]", "\x00", "---\n---\n", "? [a]\n: b\n", "[" * 5_000,
        "name: !!binary x",
    ],
)  # fmt: skip
def test_what_is_no_policy_at_all_is_refused_with_a_problem(text: str) -> None:
    tables, problems = read("p", text)
    assert tables is None
    assert all(problem.reason and problem.fix and problem.line >= 1 and problem.column >= 1 for problem in problems)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_damage_to_the_file_makes_the_reader_fail(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(TEXT)))
    end = data.draw(st.integers(start, min(len(TEXT), start + 40)))
    put = data.draw(
        st.text(max_size=8) | st.sampled_from([":", "{", "]", "'", '"', "&a ", "*a", "- ", "\n", "|", ">", "null"])
    )
    text = TEXT[:start] + put + TEXT[end:]
    tables, problems = read("p", text)
    assert (tables is None) == bool(problems)
    for problem in problems:
        assert rendered(problem, text.splitlines())


def test_the_hash_names_what_decides_and_nothing_else() -> None:
    plain = load("a", TEXT)
    assert load("b", "# another comment\n\n" + TEXT).hash == plain.hash
    assert load("b", TEXT.replace("notice: 1.5", "notice: 1.50")).hash == plain.hash
    for before, after in (
        ("notice: 1.5", "notice: 1.6"),
        ("mode: live", "mode: shadow"),
        ("within: 60s", "within: 61s"),
    ):
        assert load("b", TEXT.replace(before, after)).hash != plain.hash


def test_an_error_names_the_first_problem_and_how_many_more() -> None:
    with pytest.raises(PolicyError, match=r"p:\d+:\d+: .*2 more: upstander policy check") as raised:
        load("p", TEXT.replace("mode: live", "mode: life"))
    assert len(raised.value.problems) == 3
