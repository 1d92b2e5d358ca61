"""What presets ask for when a broadcast begins, and what becomes of reports of the broadcast itself."""

from __future__ import annotations

from strategies import START, configuration, event
from upstander import runtime
from upstander.engine.engine import Engine
from upstander.model.decision import Decision
from upstander.policy import presets
from upstander.runtime import Runtime

STRICTEST = tuple(preset.id for preset in presets.chosen(presets.shipped(), ()))


def engine(*names: str) -> Engine:
    return Runtime(runtime.current(configuration().packs, presets=names)).engine("p")


def begin(watcher: Engine, band: str, source: str = "verified", number: int = 0) -> Decision | None:
    fields = {"host": "host", "host_age_band": band, "age_source": source}
    return watcher.observe(event("broadcast_started", number, START, "b", **fields))


def report(watcher: Engine, number: int, reporter: str, subject: str = "host") -> Decision | None:
    fields = {"actor": reporter, "subject": subject, "reason": "someone is in danger"}
    return watcher.observe(event("user_report", number, START + number, "b", **fields))


def asked(decision: Decision | None) -> set[str]:
    return {str(one.do) for one in decision.interventions} if decision else set()


def test_the_strictest_presets_switch_things_off_in_a_childs_broadcast_once() -> None:
    watcher = engine(*STRICTEST)
    decision = begin(watcher, "10_12")
    assert decision is not None
    assert decision.level == "clear" and decision.actor is None
    assert {"disable_comments", "disable_gifts", "hide_counts", "disable_invites"} <= asked(decision)
    reasons = {reason.what: reason.why for reason in decision.reasons}
    assert "gb-ofcom-comments" in reasons["preset"]
    assert "minimum age for hosting is 16" in reasons["hosting"]
    again = begin(watcher, "10_12", number=1)
    assert again is not None and asked(again) == set() and [r.what for r in again.reasons] == ["hosting"]


def test_an_adults_broadcast_begins_as_it_is_and_an_unknown_one_as_a_childs() -> None:
    assert asked(begin(engine(*STRICTEST), "adult")) == set()
    assert "disable_comments" in asked(begin(engine(*STRICTEST), "unknown", "none"))


def test_without_presets_nothing_is_asked_for() -> None:
    assert begin(engine(), "under_10") is None


def test_a_preset_asks_for_its_own_rules_only() -> None:
    decision = begin(engine("eu-dsa-article-28"), "13_15")
    assert asked(decision) == {"disable_gifts", "disable_invites", "hide_counts"}
    assert asked(begin(engine("us-report-act"), "13_15")) == set()


def test_presets_are_part_of_what_a_decision_names() -> None:
    plain, strict = configuration(), runtime.current(configuration().packs, presets=STRICTEST)
    assert plain.policy != strict.policy
    assert strict.runs_here and runtime.decode_configuration(strict.encode()) == strict
    assert not runtime.decode_configuration(strict.encode().replace(b"us-report-act", b"us-report-axt")).runs_here


def test_a_report_of_a_childs_broadcast_calls_a_moderator_once_for_each_reporter() -> None:
    watcher = engine()
    begin(watcher, "13_15")
    decision = report(watcher, 1, "v1")
    assert decision is not None
    assert (decision.level, decision.actor, asked(decision)) == ("notice", None, {"call_moderator"})
    assert report(watcher, 2, "v1") is None
    assert asked(report(watcher, 3, "v2")) == set(), "within its cooldown it is not asked for again"


def test_where_the_hosts_age_is_unknown_two_viewers_must_report_and_an_adults_calls_nobody() -> None:
    watcher = engine()
    begin(watcher, "unknown", "none")
    assert asked(report(watcher, 1, "v1")) == set()
    assert asked(report(watcher, 2, "v2")) == {"call_moderator"}
    watcher = engine()
    begin(watcher, "adult")
    assert not any(asked(report(watcher, number, f"v{number}")) for number in range(1, 9))


def test_a_host_who_reports_themselves_decides_nothing() -> None:
    watcher = engine()
    begin(watcher, "13_15")
    assert report(watcher, 1, "host") is None
