"""What changed from one policy to another, and a policy in words."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_default import assess

from upstander.model.vocabulary import Level
from upstander.policy.changes import changes
from upstander.policy.describe import describe, duration, why_this_crowd, why_this_level
from upstander.policy.document import Document
from upstander.policy.judge import RulePolicy
from upstander.policy.reader import load

TEXT = Path(__file__).with_name("example.yaml").read_text()
PLAIN = load("p", TEXT)
POLICY = RulePolicy(PLAIN)

EDITS = {
    ("child: {notice: 1.5,", "child: {notice: 1.25,"): "levels: child, notice: 1.5 -> 1.25",
    ('"13_15": child', '"13_15": teen'): "protection: 13 15: child -> teen",
    ("severe_seen: 2.5", "severe_seen: 3"): "evidence: severe seen: 2.5 -> 3",
    ("factor: 1.5", "factor: 2"): "crowd: factor: 1.5 -> 2",
    ("adult: []", "adult: [threat]"): "held at notice: adult: nothing -> threat (with threat)",
    ("urgent: [call_moderator]", "urgent: [call_moderator, pause]"):
        "steps: adult, urgent: call moderator -> call moderator, pause (with pause)",
    ("emergency: [mute_viewer, call_moderator]", "emergency: [call_moderator, mute_viewer]"):
        "steps: adult, emergency: mute viewer, call moderator -> call moderator, mute viewer",
    ("slow_mode: 5m", "slow_mode: 90s"): "cooldown: slow mode: 5m -> 90s",
    ("adult: allow}", "adult: block}"): "a late decision: adult: allow -> block",
    ("pause: {minute: 60, day: 2000}", "pause: {minute: 60, day: 20}"):
        "budget: pause: 60 a minute and 2,000 a day on one platform -> 60 a minute and 20 a day on one platform",
    ("gifts: {of: [gift], within: 60s", "gifts: {of: [gift], within: 2m"):
        "counter: gifts: gift within 1m, by viewer -> gift within 2m, by viewer",
    ("steps: [[gift], [dare", "steps: [[invite], [dare"):
        "sequence: gift_then_request: gift, then audience pressure or dare or off platform or personal probe or "
        "sexualised request within 1m, by viewer -> invite, then audience pressure or dare or off platform or personal "
        "probe or sexualised request within 1m, by viewer",
    ("counter.reports >= 3", "counter.reports >= 4"):
        'rule reported_by_several: when: counter.reports >= 3 && protection != "adult" -> counter.reports >= 4 && '
        'protection != "adult"',
    ("ask: [disable_invites]", "ask: [disable_invites]\n    hold: true"):
        "rule invites_beside_secrecy: then: ask for disable invites -> hold the comment; ask for disable invites",
    ("why: a request within", "why: something within"):
        "rule request_right_after_a_gift: why: a request within a minute of a gift -> something within a minute of a "
        "gift",
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_every_change_is_said_in_words(edit: tuple[str, str]) -> None:
    assert edit[0] in TEXT
    (change,) = changes(PLAIN, load("p", TEXT.replace(*edit)))
    assert str(change) == EDITS[edit]


def test_rules_that_came_and_went_are_said_whole() -> None:
    fewer = load("p", TEXT[: TEXT.index("  - id: reported_by_several")])
    (gone,) = changes(PLAIN, fewer)
    assert str(gone).startswith("rule reported_by_several: gone: live, when counter.reports >= 3")
    (new,) = changes(fewer, PLAIN)
    assert str(new).startswith("rule reported_by_several: new: live, when counter.reports >= 3")
    assert "ask for call moderator" in new.after


def test_the_mode_of_a_rule_is_a_change() -> None:
    found = changes(PLAIN, load("p", TEXT.replace("mode: live", "mode: shadow")))
    assert [(change.before, change.after) for change in found] == [("live", "shadow")] * 3


def test_comments_and_layout_are_no_change() -> None:
    assert changes(PLAIN, load("p", "# a comment\n" + TEXT.replace("level >= NOTICE", "level  >=  NOTICE"))) == []


def test_there_is_a_change_exactly_when_the_hash_differs() -> None:
    for before, after in EDITS:
        other = load("p", TEXT.replace(before, after))
        assert other.hash != PLAIN.hash
        assert changes(PLAIN, other)
    assert changes(PLAIN, PLAIN) == []


def test_the_description_names_every_section_rule_and_reason() -> None:
    said = "\n".join(
        f"{section.title}\n" + "\n".join(f"{name}: {text}" for name, text in section.lines)
        for section in describe(PLAIN)
    )
    for rule in PLAIN.rules:
        assert f"Rule {rule.id} ({rule.mode})" in said
        assert rule.why in said
    for part in ("notice 1.5, concern 3, urgent 5, emergency 8", "under-10, 10-12, 13-15", "600 a minute"):
        assert part in said
    assert "gift, then audience pressure or dare" in said


@given(st.integers(1, 40_000_000))
def test_a_duration_is_written_as_it_is_read(milliseconds: int) -> None:
    document = Document("p", f"within: {duration(milliseconds)}")
    _, node = document.mapping(document.root, "it")["within"]
    assert document.duration(node, "it") == milliseconds


@pytest.mark.parametrize(
    ("changes_", "said"),
    [
        ({"belief": 1.0}, "belief 1.0 is below notice (1.5)"),
        ({"belief": 5.2, "evidence": {"dare": 3.0}},
         "belief 5.2 reaches urgent, but only one tactic was seen (dare): notice at most"),
        ({"belief": 5.2, "evidence": {"dare": 0.5}},
         "belief 5.2 reaches urgent, but no tactic was seen enough: notice at most"),
        ({"belief": 5.2, "evidence": {"praise_hook": 2.0, "age_probe": 2.0}},
         "belief 5.2 reaches urgent, but none of what was seen tries to move the host (age probe, praise hook): "
         "concern at most"),
        ({"belief": 9.0, "evidence": {"dare": 3.0, "secrecy": 3.0}, "events": 2},
         "belief 9.0 reaches emergency, but only 2 of 3 events showed something: urgent at most"),
        ({"belief": 9.0, "evidence": {"dare": 3.0, "secrecy": 3.0}, "events": 3},
         "belief 9.0 reaches emergency, but neither three directive tactics nor a severe one beside another were seen "
         "(dare, secrecy): urgent at most"),
        ({"belief": 3.5, "evidence": {"dare": 3.0, "secrecy": 2.0}}, "belief 3.5 reaches concern; urgent begins at 5"),
        ({"belief": 9.0, "evidence": {"threat": 3.0, "secrecy": 3.0}, "events": 3},
         "belief 9.0 reaches emergency, and the evidence allows it"),
    ],
)  # fmt: skip
def test_it_is_said_why_a_level_is_not_higher(changes_: dict[str, object], said: str) -> None:
    a = assess(**changes_)
    assert why_this_level(PLAIN, POLICY.standing(a), a.belief, a.events) == said


def test_it_is_said_why_a_crowd_does_not_count() -> None:
    def said(**values: object) -> str:
        a = assess(**values)
        return why_this_crowd(PLAIN, POLICY.standing(a), a.broadcast_belief, a.pressing)

    assert said(broadcast_belief=1.0) == ""
    assert "but 2 of 3 viewers press: it does not count" in said(broadcast_belief=9.0, pressing=2)
    assert "shows no tactic: it does not count" in said(broadcast_belief=9.0, pressing=3, signals=())
    assert "shows no severe tactic: urgent at most" in said(broadcast_belief=90.0, pressing=3)
    assert said(broadcast_belief=3.0, pressing=3) == "the audience's belief 3.0 reaches notice"


def test_the_words_agree_with_what_is_decided() -> None:
    evidence = [{"dare": 3.0}, {"dare": 3.0, "secrecy": 3.0}, {"praise_hook": 2.0, "age_probe": 2.0}, {"threat": 3.0}]
    for belief, one, events in itertools.product((0.5, 2.0, 4.0, 6.0, 50.0), evidence, (1, 5)):
        a = assess(belief=belief, evidence=one, events=events)
        said = why_this_level(PLAIN, POLICY.standing(a), a.belief, a.events)
        level = POLICY.judge(a).level
        assert ("below notice" in said) == (level is Level.CLEAR)
        if "at most" in said:
            assert f"{level.word} at most" in said
