"""From the journal to cases and sealed evidence: each decision exactly once, across restarts and kills."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from cases_support import PRESSING, T0, Recorded, settings_in

from upstander.cases import check
from upstander.cases.follow import Follower, open_desk
from upstander.cases.model import CaseError
from upstander.journal import store as journal
from upstander.settings import Settings
from upstander.vault import opening
from upstander.vault.check import anchors
from upstander.vault.vault import Vault

KILLS = 8
BROADCASTS = 12


def parts(vault: Vault, case: str) -> list[str]:
    return [row.part for row in vault.of_case(case)]


def followed(settings: Settings) -> tuple[Follower, Vault]:
    vault = opening.open_vault(settings) if opening.exists(settings) else opening.create_vault(settings, "ann")
    return Follower(settings, open_desk(settings), vault), vault


def test_a_grave_decision_opens_a_case_and_its_evidence_is_sealed(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    recorded = Recorded(settings.journal_path)
    recorded.broadcast("b1")
    follower, vault = followed(settings)
    assert follower.catch_up() == recorded.grave > 0
    (case,) = follower.desk.page("ann")
    assert (case.broadcast, case.viewer, case.host, case.band) == ("b1", "v1", "host-b1", "10_12")
    assert parts(vault, case.id)[:4] == ["decision", "chat", "gifts", "frames"]
    decision, chat, gifts, frames = (
        msgspec.json.decode(vault.read(row.address, "ann", "review")) for row in vault.of_case(case.id)[:4]
    )
    assert decision["decision"]["level"] in ("urgent", "emergency") and decision["decision"]["versions"]
    assert decision["event"]["id"] == decision["decision"]["event"] and decision["started"]["host"] == "host-b1"
    assert [event["text"] for event in chat["events"]] == list(PRESSING[: len(chat["events"])]) and chat[
        "left_out"
    ] == ""
    assert gifts["totals"] == [{"viewer": "v1", "sum": "5 EUR"}]
    assert frames["events"][0]["pdq"] == "0" * 64
    kept = {row.keep_until for row in vault.of_case(case.id)}
    assert min(kept) >= T0 + 365 * 86_400_000, "the presets that ship include the REPORT Act"


def test_what_was_taken_up_is_not_taken_up_again_and_new_evidence_begins_where_the_last_ended(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    recorded = Recorded(settings.journal_path)
    recorded.broadcast("b1")
    follower, vault = followed(settings)
    follower.catch_up()
    assert follower.catch_up() == 0
    before = {row.address for row in vault.ledger.items()}
    again, _ = followed(settings)
    assert again.catch_up() == 0
    more = {"type": "comment", "id": "c90", "actor": "v1", "text": "add me on the other app", "broadcast": "b1"}
    recorded.add(more | {"at": T0 + 60_000})
    assert again.catch_up() == 1
    (case,) = again.desk.page("ann")
    new = [row for row in vault.of_case(case.id) if row.address not in before]
    assert [row.part for row in new] == ["decision", "chat"]
    chat = msgspec.json.decode(vault.read(new[1].address, "ann", "review"))
    assert [event["id"] for event in chat["events"]] == ["c90"], "each event is sealed once a case"


def test_a_position_that_is_lost_changes_nothing(tmp_path: Path) -> None:
    """As after a crash between the sealing and the note of it: all is read again, nothing is done twice."""
    settings = settings_in(tmp_path)
    recorded = Recorded(settings.journal_path)
    recorded.broadcast("b1")
    recorded.broadcast("b2", "v2")
    follower, vault = followed(settings)
    follower.catch_up()
    steps, items = follower.desk.store.last(), len(vault.ledger.items())
    follower.desk.store.connection.execute("DELETE FROM positions")
    follower.catch_up()
    assert (follower.desk.store.last(), len(vault.ledger.items())) == (steps, items)


def test_another_journal_is_not_followed(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    Recorded(settings.journal_path).broadcast("b1")
    follower, _ = followed(settings)
    follower.catch_up()
    for path in (tmp_path / "data").glob("journal.sqlite*"):
        path.unlink()
    Recorded(settings.journal_path).broadcast("another")
    other = Follower(settings, follower.desk, None)
    with pytest.raises(CaseError, match="not the one that was followed"):
        other.catch_up()


def test_a_person_may_ask_for_a_case_about_any_decision(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, level="emergency")
    recorded = Recorded(settings.journal_path)
    recorded.broadcast("b1", texts=PRESSING[:1])
    assert recorded.grave == 0
    follower, vault = followed(settings)
    follower.catch_up()
    assert follower.desk.page("ann") == []
    connection = journal.connect(settings.journal_path, readonly=True)
    seq = connection.execute("SELECT max(seq) FROM entries WHERE kind = 'decision'").fetchone()[0]
    with pytest.raises(CaseError, match="needs a reason"):
        follower.ask(seq, "ann", "")
    with pytest.raises(CaseError, match="no decision"):
        follower.ask(1, "ann", "it looks odd")
    case = follower.ask(seq, "ann", "it looks odd")
    assert (case.viewer, parts(vault, case.id)[:2]) == ("v1", ["decision", "chat"])
    assert follower.desk.store.history(case.id)[0].by == "ann"


def test_the_end_of_the_history_is_anchored_in_the_vault(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    Recorded(settings.journal_path).broadcast("b1")
    follower, vault = followed(settings)
    follower.catch_up()
    assert follower.anchor() and not follower.anchor()
    result = check.check(follower.desk.store, anchors(vault.ledger))
    assert result.ok and result.anchors == 1


#: Follows without end; the journal is there already.
WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from cases_support import settings_in
from upstander.cases.follow import Follower, open_desk
from upstander.vault import opening
settings = settings_in(Path(sys.argv[1]))
print("ready", flush=True)
Follower(settings, open_desk(settings), opening.open_vault(settings)).catch_up()
print("done", flush=True)
"""


def test_killed_at_random_instants_every_decision_is_taken_up_exactly_once(tmp_path: Path) -> None:
    seed = int(os.environ.get("UPSTANDER_SEED", random.SystemRandom().randrange(1_000_000)))
    print(f"seed {seed} (set UPSTANDER_SEED to repeat)")
    chance = random.Random(seed)
    settings = settings_in(tmp_path)
    recorded = Recorded(settings.journal_path)
    for number in range(BROADCASTS):
        recorded.broadcast(f"b{number}", f"v{number % 3}")
    opening.create_vault(settings, "ann").close()
    for _ in range(KILLS):
        command = [sys.executable, "-c", WORKER, str(tmp_path), str(Path(__file__).parent)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
    follower, vault = followed(settings)
    follower.catch_up()
    desk = follower.desk
    assert desk.store.connection.execute("SELECT count(*) FROM decisions").fetchone()[0] == recorded.grave
    assert len(desk.page("ann", limit=500)) == BROADCASTS
    rows = vault.ledger.items("part = 'decision'")
    assert len(rows) == recorded.grave
    seen = [json.loads(vault.unsealed(row)[1])["journal"]["seq"] for row in rows]
    assert len(set(seen)) == recorded.grave
    for case in desk.page("ann", limit=500):
        chats = [json.loads(vault.unsealed(row)[1]) for row in vault.of_case(case.id) if row.part == "chat"]
        events = [event["id"] for chat in chats for event in chat["events"]]
        assert len(events) == len(set(events)), "no event is sealed twice in a case"
    assert check.check(desk.store).ok
