"""What follows by itself: the hold on evidence, the end of the case, alarms that call somebody, holds that are over.

Everything here may be cut short and done again: the second time changes nothing.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Sequence

import msgspec

from upstander.cases.desk import Desk
from upstander.cases.model import MACHINE, CaseError
from upstander.cases.states import Act as CaseAct
from upstander.cases.states import State as CaseState
from upstander.reports.evidence import Evidence, reference
from upstander.reports.model import ReportError
from upstander.reports.office import ESCALATES
from upstander.reports.settings import ReportSettings
from upstander.reports.states import Act, State
from upstander.reports.store import Row, Store
from upstander.vault.errors import VaultError

log = logging.getLogger(__name__)
_TIMES = {
    State.DRAFTED: "nobody has approved or refused it",
    State.APPROVED: "it is approved and not filed",
    State.FILED: "there is no answer yet: ask the destination, and note what came of it",
}
PAGE = 200
COMMAND_S = 30


class Page(msgspec.Struct, frozen=True):
    """What an alarm's command gets on its standard input: no person, no content."""

    report: str
    destination: str
    level: int
    state: str
    alarm_at: int
    why: str


class Settler:
    """Does what is due beside sending. ``run`` executes an alarm's command."""

    def __init__(
        self,
        store: Store,
        evidence: Evidence,
        desk: Desk,
        settings: ReportSettings,
        clock: Callable[[], int],
        run: Callable[[Sequence[str], bytes], bool] | None = None,
    ) -> None:
        self.store, self.evidence, self.desk, self.settings = store, evidence, desk, settings
        self.clock, self._run = clock, run or command

    def sweep(self) -> None:
        """All of it, once."""
        for row in self.store.select("told = 0 AND state IN ('filed', 'refused', 'retracted')", (), PAGE):
            self._each(row, self._settle)
        self._late()
        for row in self.store.select("alarm_at > 0 AND paged = 0", (), PAGE, "level DESC, alarm_at"):
            if not self._call(row):
                break  # whoever is called does not answer: the next sweep tries again
        for row in self.store.select("held_until > 0 AND held_until <= ?", (self.clock(),), PAGE):
            self._each(row, self._release)

    def _each(self, row: Row, work: Callable[[Row], None]) -> None:
        """Something done for one report; what fails there holds up no other, and is tried again."""
        try:
            work(row)
        except (VaultError, ReportError) as error:
            log.error("report %s: what follows its end failed (%s); it is tried again", row.id, type(error).__name__)

    def _release(self, row: Row) -> None:
        self.evidence.release(row.id, row.case)
        self.store.set(row, held_until=0)

    def _settle(self, row: Row) -> None:
        if row.state is State.FILED:
            why = f"filed with {row.destination} as {row.reference}: preserved ({reference(row.id)})"
            self.evidence.hold(row.case, row.id, row.held_until, why)
        self._tell(row)
        self.store.set(row, told=1)

    def _tell(self, row: Row) -> None:
        """The case ends as its report did."""
        case = self.desk.store.get(row.case)
        if case is None or row.destination not in ESCALATES or row.state is State.RETRACTED:
            return
        try:
            if row.state is State.FILED and case.state is CaseState.APPROVED:
                given = {"reference": f"{row.destination} {row.reference}"}
                self.desk.act(row.case, CaseAct.FILE, row.filed_by, f"report {row.id}", **given)  # type: ignore[arg-type]
            elif row.state is State.REFUSED and case.state in (CaseState.ESCALATED, CaseState.APPROVED):
                self.desk.act(row.case, CaseAct.REFUSE, MACHINE, f"report {row.id}: {row.words}")
        except CaseError as error:
            log.warning("report %s: its case was not changed (%s)", row.id, type(error).__name__)

    def _late(self) -> None:
        at = self.clock()
        for row in self.store.select("due_at > 0 AND due_at <= ? AND alarm_at = 0", (at,), PAGE):
            why = _TIMES.get(row.state, "it is not through yet")
            log.error("report %s raises an alarm: %s", row.id, why)
            self._each(row, lambda each, why=why: self._alarm(each, why, at))  # type: ignore[misc]

    def _alarm(self, row: Row, why: str, at: int) -> None:
        self.store.change(row, Act.ALARM, MACHINE, why, at, alarm_at=at, alarm=why, paged=0)

    def _call(self, row: Row) -> bool:
        """Call somebody: the case comes to the front of the queue, and the command runs. Whether it succeeded."""
        self.desk.raise_alarm(row.case, f"report {row.id}: {row.alarm}")
        page = Page(row.id, row.destination, row.level, str(row.state), row.alarm_at, _public(row))
        if self.settings.alarm_command and not self._run(self.settings.alarm_command, msgspec.json.encode(page)):
            log.error("report %s: the alarm command failed; it is tried again", row.id)
            return False
        self._each(row, lambda each: _ignored(self.store.set(each, paged=1)))
        return True


def _ignored(row: Row) -> None:
    """The row is not needed any more."""


def _public(row: Row) -> str:
    """The alarm without the destination's words, which may name somebody."""
    return _TIMES.get(row.state, "") or f"see `upstander report status {row.id}`"


def command(program: Sequence[str], data: bytes) -> bool:
    """Run a program with data on its standard input; whether it succeeded."""
    try:
        done = subprocess.run(program, input=data, capture_output=True, timeout=COMMAND_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
