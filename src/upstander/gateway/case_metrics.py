"""Cases as metrics: how many in which state, how many raise an alarm, how long the longest waits for a first look.

Reads the cases' file as it is, so that it needs none of the console's packages; names no case.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric


def case_metrics(path: Path) -> Iterator[Metric]:
    """The metrics; none when there are no cases, or their file cannot be read now."""
    if not path.exists():
        return
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)
        try:
            states = connection.execute("SELECT state, count(*) FROM cases GROUP BY state").fetchall()
            alarming = connection.execute("SELECT state, count(*) FROM cases WHERE alarm > 0 GROUP BY state").fetchall()
            sql = "SELECT coalesce(min(waiting_since), 0) FROM cases WHERE waiting_since > 0"
            since = connection.execute(sql).fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error:
        return
    by_state = GaugeMetricFamily("upstander_cases", "Cases by state.", labels=["state"])
    for state, count in states:
        by_state.add_metric([state], count)
    yield by_state
    alarms = GaugeMetricFamily("upstander_cases_alarming", "Cases that wait too long, by state.", labels=["state"])
    for state in ("open", "escalated", "approved", "refused"):
        alarms.add_metric([state], dict(alarming).get(state, 0))
    yield alarms
    waits = max(0.0, time.time() - since / 1000) if since else 0.0
    help_text = "Seconds that the longest-waiting case waits for its first look; 0: none waits."
    yield GaugeMetricFamily("upstander_cases_longest_wait_seconds", help_text, value=waits)
