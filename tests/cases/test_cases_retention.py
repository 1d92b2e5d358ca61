"""Filing keeps evidence longer; closed cases are erased when their time is over, and the file names nobody then."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases_support import MINUTE, T0, Recorded, found, new_desk, settings_in

from upstander.cases import retention
from upstander.cases.check import check
from upstander.cases.desk import Desk
from upstander.cases.follow import Follower, open_desk
from upstander.cases.model import CaseError
from upstander.cases.states import Act
from upstander.gateway.case_metrics import case_metrics
from upstander.model.vocabulary import AgeBand
from upstander.settings import Settings
from upstander.vault import opening

DAY = 24 * 60 * MINUTE


def closed(desk: Desk, number: int = 1, **fields: object) -> str:
    case = desk.decide(found(number, **fields), now=T0).id  # type: ignore[arg-type]
    desk.act(case, Act.CLAIM, "ann", now=T0)
    desk.act(case, Act.CLOSE, "ann", "a joke", outcome="benign", now=T0)
    return case


def test_a_closed_case_is_erased_when_its_time_is_over_and_the_check_still_holds(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, keep_days=10)
    desk = new_desk(tmp_path)
    case = closed(desk, viewer="a-viewer-to-be-forgotten", host="a-host-to-be-forgotten")
    other = desk.decide(found(2), now=T0).id
    desk.store.connection.execute("UPDATE outgoing SET sent = 1")
    assert retention.erase_due(desk, settings, None, T0 + 10 * DAY - 1) == []
    assert retention.erase_due(desk, settings, None, T0 + 10 * DAY) == [case]
    assert desk.store.get(case) is None
    assert desk.store.get(other) is not None
    assert [step.act for step in desk.store.history(case)][-1] == "erase"
    assert check(desk.store).findings == []
    desk.store.close()
    for path in tmp_path.glob("cases.sqlite3*"):
        assert b"to-be-forgotten" not in path.read_bytes(), path.name


def test_a_new_decision_about_an_erased_case_opens_a_new_one(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, keep_days=1)
    desk = new_desk(tmp_path)
    case = closed(desk)
    desk.store.connection.execute("UPDATE outgoing SET sent = 1")
    retention.erase_due(desk, settings, None, T0 + DAY)
    before = desk.store.last_version(case)
    again = desk.decide(found(1), now=T0 + 2 * DAY)
    # Versions go on, so that no second verdict has the name of one that was passed on before.
    assert (again.id, again.version, again.state) == (case, before + 1, "open")
    assert check(desk.store).findings == []


def test_what_is_in_the_queue_or_has_a_verdict_on_its_way_is_not_erased(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, keep_days=1)
    desk = new_desk(tmp_path)
    closed(desk)
    open_one = desk.decide(found(2), now=T0).id
    assert retention.erase_due(desk, settings, None, T0 + 400 * DAY) == [], "its verdict was not passed on yet"
    with pytest.raises(CaseError, match="only closed and filed"):
        retention.erase(desk, open_one, "ann", "no")


def filed(settings: Settings, desk: Desk) -> str:
    recorded = Recorded(settings.journal_path)
    recorded.broadcast("b1")
    recorded.close()
    vault = opening.create_vault(settings, "boss")
    follower = Follower(settings, desk, vault)
    follower.catch_up()
    follower.close()
    (case,) = desk.store.select("1")
    desk.act(case.id, Act.CLAIM, "ann", now=T0)
    desk.act(case.id, Act.ESCALATE, "ann", "pressure", now=T0)
    desk.act(case.id, Act.APPROVE, "ben", "agreed", now=T0)
    desk.act(case.id, Act.FILE, "ben", "sent", reference="R-1", now=T0)
    assert retention.extend(desk, vault, settings) == [case.id]
    assert retention.extend(desk, vault, settings) == [], "once is enough"
    vault.close()
    return case.id


def test_filing_keeps_the_evidence_and_the_case_goes_after_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, keep_filed_days=700)
    settings.folder.mkdir(parents=True)
    desk = open_desk(settings)
    case = filed(settings, desk)
    vault = opening.open_vault(settings)
    rows = vault.of_case(case)
    assert rows and all(row.keep_until == T0 + 700 * DAY for row in rows)
    assert vault.expire(now=T0 + 699 * DAY) == []
    after = T0 + 701 * DAY
    assert retention.erase_due(desk, settings, vault, after) == [], "its evidence is still there"
    assert len(vault.expire(now=after)) == len(rows)
    assert retention.erase_due(desk, settings, vault, after) == [case]
    assert check(desk.store).findings == []
    vault.close()
    desk.store.close()


def test_a_preset_that_asks_for_longer_wins(tmp_path: Path) -> None:
    desk = new_desk(tmp_path)
    case = desk.decide(found(1, band=AgeBand.FROM_10_TO_12), now=T0)
    settings = settings_in(tmp_path, keep_filed_days=1)
    assert retention.filed_days(settings, case) == max(90, opening.keep_days(settings, case.band)) >= 365


def test_alarms_and_waits_are_metrics_without_names(tmp_path: Path) -> None:
    assert list(case_metrics(tmp_path / "cases.sqlite3")) == []
    desk = new_desk(tmp_path)
    desk.decide(found(1), now=T0)
    desk.decide(found(2), now=T0)
    desk.sweep(T0 + 60 * MINUTE)
    by_name = {metric.name: metric for metric in case_metrics(tmp_path / "cases.sqlite3")}
    states = {sample.labels["state"]: sample.value for sample in by_name["upstander_cases"].samples}
    assert states == {"open": 2}
    alarms = {sample.labels["state"]: sample.value for sample in by_name["upstander_cases_alarming"].samples}
    assert alarms == {"open": 2, "escalated": 0, "approved": 0, "refused": 0}
    assert by_name["upstander_cases_longest_wait_seconds"].samples[0].value > 0
    assert "mysite" not in str(by_name)
    (tmp_path / "broken").write_bytes(b"no database")
    assert list(case_metrics(tmp_path / "broken")) == []
