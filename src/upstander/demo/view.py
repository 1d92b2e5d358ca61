"""The live view in the terminal."""

from __future__ import annotations

import time
from collections import deque

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from upstander.client import Comment
from upstander.client.http import Held
from upstander.demo.platform import Platform, Receiver
from upstander.gateway.wall import Stats, Update

STYLES = {
    "clear": "green",
    "notice": "bright_blue",
    "concern": "yellow",
    "urgent": "dark_orange",
    "emergency": "bold red",
}
RANKS = {"clear": 0, "notice": 1, "concern": 2, "urgent": 3, "emergency": 4}


class View:
    """What the terminal shows. Fed from threads; ``render`` may be called at any time."""

    def __init__(self, url: str, data: str, continued: int) -> None:
        self._url, self._data, self._continued = url, data, continued
        self.link = url
        self.seen = Update(Stats(), [], [])
        self.held: deque[tuple[float, Comment, Held]] = deque(maxlen=200)

    def on_held(self, comment: Comment, answer: Held) -> None:
        """A comment got its verdict."""
        if answer.decision is not None and answer.decision.level != "clear":
            self.held.appendleft((time.monotonic(), comment, answer))

    def render(self, platform: Platform, receiver: Receiver, height: int, width: int) -> Group:
        """The whole view."""
        room = max(4, (height - 16) // 2)
        return Group(
            self._head(),
            self._broadcasts(platform),
            self._decisions(room, width),
            self._done(receiver, max(2, height - 20 - room)),
        )

    def _head(self) -> Panel:
        stats = self.seen.stats
        line = Text()
        line.append("Upstander ", "bold")
        line.append("live" if stats.available else "starting…", "green" if stats.available else "yellow")
        for name, value in (
            ("events", f"{stats.events:,}"),
            ("events/s", f"{stats.events_per_s:,.0f}"),
            ("p99", f"{stats.p99_ms:.1f} ms"),
            ("actions open", str(stats.outbox_open)),
        ):
            line.append(f"   {name} ", "dim")
            line.append(value, "bold")
        line.append("\npage   ", "dim")
        line.append(self.link, "bright_blue underline")
        line.append("\ndata   ", "dim")
        line.append(self._data)
        if self._continued:
            line.append(f"   (continued from {self._continued:,} journaled events)", "dim")
        line.append("      Ctrl-C stops", "dim")
        return Panel(line, border_style="dim")

    def _broadcasts(self, platform: Platform) -> Panel:
        table = Table(box=None, expand=True, pad_edge=False)
        table.add_column("level", width=10)
        table.add_column("broadcast", ratio=2, no_wrap=True)
        table.add_column("belief", justify="right", width=7)
        table.add_column("what was seen", ratio=5, no_wrap=True)
        rows = {row.broadcast: row for row in self.seen.rows}
        live = list(dict(platform.live).values())
        for broadcast in sorted(live, key=lambda name: (-RANKS[rows[name].level] if name in rows else 0, name)):
            row = rows.get(broadcast)
            level = row.level if row else "clear"
            tactics = ", ".join(tactic.replace("_", " ") for tactic in row.tactics) if row else ""
            belief = f"{row.belief:.1f}" if row else ""
            table.add_row(Text(level, STYLES[level]), Text(broadcast), belief, Text(tactics, "dim"))
        return Panel(table, title=f"broadcasts ({len(live)} live)", title_align="left", border_style="dim")

    def _decisions(self, room: int, width: int) -> Panel:
        table = Table(box=None, expand=True, pad_edge=False, show_header=False)
        table.add_column(width=10)
        table.add_column(ratio=3, no_wrap=True)
        table.add_column(ratio=4, no_wrap=True)
        table.add_column(ratio=3, no_wrap=True)
        for _, comment, answer in list(self.held)[:room]:
            decision = answer.decision
            assert decision is not None
            why = [
                r.why for r in decision.reasons if not r.why.startswith("earlier") and r.what not in decision.exposures
            ]
            asked = ", ".join(a.do.replace("_", " ") for a in decision.interventions) or answer.verdict
            said = Text(f"{comment.actor}: {comment.text}")
            table.add_row(
                Text(decision.level, STYLES[decision.level]), said, Text("; ".join(why[:2])), Text(asked, "cyan")
            )
        if not self.held:
            table.add_row("", Text("nothing yet: the first pressure builds up within a few seconds", "dim"), "", "")
        title = "last decisions: who said what, why it counts, what was asked for"
        return Panel(table, title=title, title_align="left", border_style="dim")

    def _done(self, receiver: Receiver, room: int) -> Panel:
        lines = [Text(f"✓ {text}", "green") for text in list(receiver.done)[:room]]
        total = sum(receiver.counts.values())
        body = Group(*lines) if lines else Text("nothing yet", "dim")
        return Panel(body, title=f"done by the platform ({total})", title_align="left", border_style="dim")
