"""Prometheus metrics, and the recent latencies that the live view shows."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from upstander.gateway.case_metrics import case_metrics
from upstander.outbox import actions
from upstander.reports import numbers

if TYPE_CHECKING:
    from upstander.gateway.service import Service

_BUCKETS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """What is measured. Names never carry a broadcast's or a person's id."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.registry = CollectorRegistry()
        help_text = "Seconds from a request's arrival to its durable decision."
        self._latency = Histogram(
            "upstander_decision_seconds", help_text, ["route"], buckets=_BUCKETS, registry=self.registry
        )
        self._by_route = {route: self._latency.labels(route) for route in ("events", "hold", "stream")}
        self.recent: deque[float] = deque(maxlen=2_000)
        self.deadlines_missed = 0
        self.events_per_s = 0.0
        self.registry.register(self)

    def took(self, route: str, seconds: float) -> None:
        """One request was answered."""
        self._by_route[route].observe(seconds)
        self.recent.append(seconds)

    async def watch_rate(self) -> None:
        """Keep ``events_per_s``, smoothed over a few seconds, until cancelled."""
        before, at = self._service.intake.accepted, time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            count, now = self._service.intake.accepted, time.monotonic()
            fresh = (count - before) / (now - at)
            self.events_per_s = 0.5 * self.events_per_s + 0.5 * fresh if fresh > 0.1 else 0.0
            before, at = count, now

    def p99_ms(self) -> float:
        """The 99th percentile of the last 2,000 requests, in milliseconds; 0 before the first."""
        if not self.recent:
            return 0.0
        ordered = sorted(self.recent)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """What is counted elsewhere, read at scrape time."""
        intake, service = self._service.intake, self._service
        for name, help_text, value in (
            ("upstander_events_accepted", "Events made durable.", intake.accepted),
            ("upstander_events_duplicate", "Events sent again, answered as the first time.", intake.duplicates),
            ("upstander_events_refused", "Events refused with an error.", intake.refused),
            ("upstander_overload", "Requests answered 429 because too much was waiting.", intake.overloads),
            ("upstander_packs_reloads", "Times the packs were read again and taken.", service.reloader.reloads),
            ("upstander_hold_deadline_missed", "Held comments answered by fail policy.", self.deadlines_missed),
        ):
            yield CounterMetricFamily(name, help_text, value=value)
        nudges = CounterMetricFamily("upstander_nudges", "Cards chosen, and what platforms reported.", labels=["event"])
        for event, count in intake.nudges.counts.items():
            nudges.add_metric([event], count)
        yield nudges
        if service.attendant is not None:
            states = service.attendant.states
            for name, help_text, value in (
                ("upstander_watch_streams", "Streams that are open.", sum(s.state == "open" for s in states)),
                ("upstander_watch_waiting", "Streams that are tried again.", sum(s.state != "open" for s in states)),
                ("upstander_watch_frames", "Frames of the streams watched now.", sum(s.frames for s in states)),
                ("upstander_watch_killed", "Decoders ended at their deadline.", sum(s.killed for s in states)),
            ):
                yield GaugeMetricFamily(name, help_text, value=value)
        yield from case_metrics(service.settings.folder / "cases.sqlite3")
        yield GaugeMetricFamily("upstander_ready", "1 when events are accepted.", value=int(intake.available))
        yield GaugeMetricFamily(
            "upstander_packs_reload_failed",
            "1 when the packs in the folder are broken and those before go on.",
            value=int(bool(service.reloader.failed)),
        )
        if not service.ready:
            return
        engines = intake.runtime.engines.values()
        yield CounterMetricFamily(
            "upstander_engine_failures", "Events on which the engine failed.", value=intake.runtime.failures
        )
        for name, help_text, value in (
            ("upstander_events_pending", "Events observed and not durable yet.", intake.pending),
            ("upstander_broadcasts", "Broadcasts held in memory.", sum(len(e.state.broadcasts) for e in engines)),
            ("upstander_streams", "WebSocket streams open.", service.streams),
            ("upstander_journal_entries", "Entries in the journal.", intake.journal.writer.head[0]),
        ):
            yield GaugeMetricFamily(name, help_text, value=value)
        outbox = GaugeMetricFamily("upstander_outbox_actions", "Actions by state.", labels=["state"])
        for state, count in actions.counts(intake.journal.reader).items():
            outbox.add_metric([state], count)
        yield outbox
        if service.settings.reports.enabled:
            yield from self._reports()

    def _reports(self) -> Iterator[Metric]:
        """How reports stand: read from their file, which names nobody."""
        now = time.time_ns() // 1_000_000
        standing = numbers.standing(self._service.settings.folder / "reports.sqlite3", now)
        reports = GaugeMetricFamily("upstander_reports", "Reports by state.", labels=["destination", "state"])
        for labels, count in standing.by_state.items():
            reports.add_metric(list(labels), count)
        yield reports
        alarming = "Reports that need a person."
        yield GaugeMetricFamily("upstander_reports_alarming", alarming, value=standing.alarming)
        oldest = "Seconds that the oldest report waits to be sent."
        yield GaugeMetricFamily("upstander_reports_oldest_seconds", oldest, value=standing.oldest_s)
        down = "1 for each destination that does not answer."
        family = GaugeMetricFamily("upstander_reports_destination_down", down, labels=["destination"])
        for name in standing.down:
            family.add_metric([name], 1)
        yield family
