"""A rule that fires on everything, in a running service with many clients: its budget holds exactly."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

from support import PLATFORM, PROBE, Recorder, asynchronous, comment, gateway, lines, started
from upstander import runtime
from upstander.journal import recovery
from upstander.policy.judge import bundled_source

CLIENTS, BROADCASTS, MESSAGES = 6, 60, 4
RULE = """
  - id: everything
    when: level >= CLEAR
    ask: [slow_mode]
    why: a rule that fires on everything
    budget: {minute: 20, day: 1000}
"""


@asynchronous
async def test_a_runaway_rule_reaches_the_outbox_exactly_as_often_as_its_budget_allows(tmp_path: Path) -> None:
    policy = tmp_path / "runaway.yaml"
    policy.write_text(bundled_source()[1].rstrip() + RULE)
    adapter = Recorder()
    # All at one time: the engine's clock stands still, so that everything falls into one minute.
    at = 1_770_000_010_000
    async with gateway(tmp_path, [adapter], policy=str(policy)) as running:

        async def client(number: int) -> None:
            own = [f"b{number}-{n}" for n in range(BROADCASTS // CLIENTS)]
            answer = await running.post(lines(*[started(f"s{b}", b) | {"at": at} for b in own]))
            assert answer.status_code == 200
            for message in range(MESSAGES):
                for broadcast in own:
                    said = comment(f"c{broadcast}-{message}", PROBE, broadcast, actor=f"v{message}")
                    answer = await running.post(json.dumps(said | {"at": at}).encode())
                    assert answer.status_code == 200

        await asyncio.gather(*map(client, range(CLIENTS)))
        actions, decisions = running.actions(), running.journal("decision")
        journal = running.service.settings.journal_path

    found = [json.loads(placed.entry.body) for placed in decisions]
    live = [asked for one in found for asked in one["interventions"] if asked.get("rule") == "everything"]
    assert len(live) == 20
    assert sum(action["asked"] == "slow_mode" for action in actions) == 20
    pages = [action for action in actions if action["asked"] == "page_operator"]
    assert [page["target"] for page in pages] == ["rule:everything"]
    kinds = Counter(r["what"] for one in found for r in one["reasons"] if r.get("source") == "rule.everything")
    first_stop = next(n for n, one in enumerate(found) if any(r["what"] == "breaker" for r in one["reasons"]))
    after = [r["what"] for one in found[first_stop:] for r in one["reasons"] if r.get("source") == "rule.everything"]
    assert set(after) == {"shadow_rule"}
    assert kinds["rule"] == first_stop, "before the breaker tripped it was live on every event"
    assert len(found) == BROADCASTS * MESSAGES
    assert recovery.verify(journal, runtime.current()).ok
    assert {action["platform"] for action in actions} == {PLATFORM}
