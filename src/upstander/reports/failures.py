"""What a failure means for a report and for its destination: try again, wait for the destination, refuse, or give up
and alarm. Never: forget."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

from upstander.reports.cybertip import Answer, Call, Unknown, Unreached
from upstander.reports.settings import ReportSettings
from upstander.reports.states import Act, State
from upstander.reports.store import Down, Row, Sent, Store
from upstander.vault.vault import MACHINE

log = logging.getLogger(__name__)

FIRST_S, LONGEST_S = 5.0, 300.0
#: Something is wrong with the account there: a person has to see to it, and the machine asks now and then.
_ACCOUNT = frozenset({2000, 3000, 3100, 3300})
_REFUSED = frozenset({4000, 4100, 4110, 4200})
#: A report that would expire so soon is taken back rather than left to be deleted unseen.
MARGIN_MS = 10 * 60_000
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
MAX_OPENINGS = 3


class Failures:
    """Decides what follows a failure. ``clock`` gives epoch ms."""

    def __init__(self, store: Store, settings: ReportSettings, clock: Callable[[], int], chance: random.Random) -> None:
        self.store, self.settings, self.clock, self.chance = store, settings, clock, chance

    # -- the destination -----------------------------------------------------------------------------------------

    def down(self, name: str, words: str) -> None:
        """The destination does not answer: everything for it waits, longer each time."""
        at, before = self.clock(), self.store.down(name)
        wait = self._wait_ms(before.failures)
        if not before.failures:
            log.warning("reports: %s does not answer (%s)", name, words)
        since = before.down_since or at
        self.store.put_down(Down(name, since, at + wait, before.failures + 1, words))

    def up(self, name: str) -> None:
        """It answers again."""
        log.warning("reports: %s answers again", name)
        self.store.put_down(Down(name))

    def _wait_ms(self, failures: int) -> int:
        """Exponential back-off with jitter: between half and all of 5 s, 10 s, 20 s, … at most five minutes."""
        whole = min(LONGEST_S, FIRST_S * 2.0 ** min(failures, 10))
        return int(1_000 * whole * (0.5 + 0.5 * self.chance.random()))

    # -- one report ----------------------------------------------------------------------------------------------

    def interrupted(self, row: Row, call: Call, error: Unreached | Unknown, alive: Callable[[], bool]) -> Row:
        """A request for an open report got no answer: it is repeated, which does no harm (a file may be there twice).
        When the destination answers nothing at all, that is no fault of this report's."""
        if isinstance(error, Unreached) or not alive():
            self.down(row.destination, str(error))
            return row
        return self.again(row, f"{call}: {error}", self.clock())

    def again(self, row: Row, why: str, at: int) -> Row:
        """It is tried again later, so often; then a person is called."""
        if row.reference and row.wish != "expire" and at >= self.expires(row) - MARGIN_MS:
            fields = {"wish": "expire", "attempts": 0, "next_at": 0}
            return self.store.change(row, Act.FAILED, MACHINE, f"{why}; it would expire soon", at, **fields)
        if row.attempts + 1 >= self.settings.attempts:
            return self.give_up(row, why)
        wait = self._wait_ms(row.attempts)
        return self.store.change(
            row, Act.FAILED, MACHINE, why, at, attempts=row.attempts + 1, next_at=at + wait, begun_at=0
        )

    def expires(self, row: Row) -> int:
        """When the destination deletes an open report, by the stricter reading of its documentation."""
        limits = self.settings.ncmec
        return min(row.opened_at + limits.opening_hours * HOUR_MS, row.changed_at + limits.change_minutes * MINUTE_MS)

    def declined(self, row: Row, call: Call, answer: Answer, sent: Sent | None = None) -> Row:
        """The destination said no: what its code means."""
        at, why = self.clock(), f"{call}: {answer.said}"
        if answer.code in _ACCOUNT:
            self.down(row.destination, answer.said)
            row = self.store.set(row, begun_at=0)
            return row if row.alarm_at else self.alarm(row, f"the destination refuses our account ({answer.code})")
        if answer.code in _REFUSED and call is not Call.RETRACT:
            return self._refused(row, why, answer, at)
        if answer.code == 5001:
            return self._expired(row, why, at)
        if answer.code == 5002 and sent is not None:
            with self.store.transaction():
                self.store.put_file(row.id, Sent(sent.place, sent.address))
                return self.store.change(row, Act.FAILED, MACHINE, why, at, state=State.UPLOADING)
        if answer.code in (5101, 5102):
            return self.give_up(row, why)
        return self.again(row, why, at)

    def _refused(self, row: Row, why: str, answer: Answer, at: int) -> Row:
        """Refused with the destination's words. What is open there is taken back first."""
        words = {"words": answer.said[:1_000], "begun_at": 0, "attempts": 0, "next_at": 0}
        if row.reference:
            return self.store.change(row, Act.REFUSED, MACHINE, why, at, wish="refuse", **words)
        log.warning("report %s was refused (%s)", row.id, answer.code)
        calm = {"due_at": 0, "alarm_at": 0, "alarm": "", "paged": 0}
        return self.store.change(row, Act.REFUSED, MACHINE, why, at, state=State.REFUSED, **words, **calm)

    def _expired(self, row: Row, why: str, at: int) -> Row:
        """It is gone there: it is opened anew, for what is gone cannot be there twice."""
        openings = sum(step.act == Act.OPENED for step in self.store.history(row.id))
        if openings >= MAX_OPENINGS:
            return self.give_up(row, f"{why}; it was opened {openings} times")
        with self.store.transaction():
            self.store.forget_files(row.id)
            return self.store.change(
                row, Act.FAILED, MACHINE, f"{why}: it has expired and is opened anew", at, state=State.SUBMITTING,
                reference="", opened_at=0, changed_at=0, begun_at=0, attempts=0, next_at=0, wish="",
            )  # fmt: skip

    def unknown_opening(self, row: Row, why: str) -> Row:
        """Nobody knows whether it was opened. A person is called; when they do nothing, it is opened anew once what may
        be there has surely been deleted: an unfinished report is nobody's report."""
        limits = self.settings.ncmec
        hours = limits.opening_hours * HOUR_MS + limits.change_minutes * MINUTE_MS
        at = row.begun_at + hours if self.settings.resubmit_unknown else 0
        what = f"nobody knows whether it was opened ({why})"
        return self.give_up(row, what, next_at=at)

    def give_up(self, row: Row, why: str, next_at: int = 0) -> Row:
        """Given up: it alarms until a person acts."""
        at = self.clock()
        log.error("report %s needs a person: see `upstander report status %s`", row.id, row.id)
        fields = {"alarm_at": at, "alarm": why[:1_000], "paged": 0, "due_at": 0, "next_at": next_at}
        return self.store.change(row, Act.GIVEN_UP, MACHINE, why, at, state=State.ALARMING, **fields)

    def alarm(self, row: Row, why: str) -> Row:
        """An alarm, while the machine goes on."""
        at = self.clock()
        log.error("report %s raises an alarm: see `upstander report status %s`", row.id, row.id)
        return self.store.change(row, Act.ALARM, MACHINE, why, at, alarm_at=at, alarm=why[:1_000], paged=0)
