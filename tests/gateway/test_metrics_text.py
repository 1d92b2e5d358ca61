"""``/metrics``: it parses, it counts, and it names no broadcast and no person."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from support import PROBE, Gate, Recorder, asynchronous, comment, eventually, gateway, started
from upstander.settings import Limits


@asynchronous
async def test_the_text_parses_counts_and_names_nobody(tmp_path: Path, gate: Gate) -> None:
    async with gateway(tmp_path, [Recorder()], limits=Limits(max_pending=3)) as g:
        first = comment("comment-77", PROBE, broadcast="broadcast-77", actor="viewer-77")
        await g.post([started("start-77", "broadcast-77"), first])
        await g.post(first)
        await g.post(b"what is this")
        with gate.closed():
            await g.hold(comment("comment-78", PROBE, "broadcast-77", "viewer-77"), deadline_ms=1)
            assert (await g.post([comment(f"o{n}", broadcast="broadcast-77") for n in range(3)])).status_code == 429
        await eventually(lambda: g.service.intake.pending == 0)
        await g.order("broadcast-77", do="pause")
        await eventually(lambda: all(row["state"] == "acknowledged" for row in g.actions()))
        response = await g.http.get("/metrics")
        assert response.status_code == 200 and response.headers["content-type"].startswith("text/plain")
        samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        }
        assert samples["upstander_events_accepted_total",] == 3
        assert samples["upstander_events_duplicate_total",] == 1
        assert samples["upstander_events_refused_total",] == 1
        assert samples["upstander_overload_total",] == 1
        assert samples["upstander_hold_deadline_missed_total",] == 1
        assert samples["upstander_ready",] == 1
        assert samples["upstander_broadcasts",] == 1
        assert samples["upstander_outbox_actions", "acknowledged"] == len(g.actions())
        assert samples["upstander_decision_seconds_count", "events"] == 3
        for word in ("start-77", "comment-7", "broadcast-77", "viewer-77", "mysite"):
            assert word not in response.text
        labels = {
            name
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
            for name in sample.labels
        }
        assert labels == {"route", "le", "state", "event"}
