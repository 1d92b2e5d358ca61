"""The machine that sends: one step of the protocol at a time, each noted before the next, so that being killed anywhere
loses nothing and opens no second report.

What a failure means stands in ``failures``; what follows once a report has ended, in ``settle``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import msgspec

from upstander.reports import cybertip_xml, schema
from upstander.reports.cybertip import Answer, Call, CyberTip, Unknown, Unreached
from upstander.reports.evidence import DAY_MS, Evidence
from upstander.reports.failures import Failures
from upstander.reports.model import Changed, File, Report, ReportError, decode
from upstander.reports.settings import ReportSettings
from upstander.reports.states import SENDING, Act, State
from upstander.reports.store import Row, Sent, Store
from upstander.vault.vault import MACHINE

#: A destination that was silent so long is asked whether it answers before a report is opened.
FRESH_MS = 60_000
NAME = "ncmec"


class Sender:
    """Sends reports to the CyberTipline. One at a time may run on a data folder: see ``follow``.

    ``clock`` gives epoch ms; ``chance`` is the jitter of waiting times.
    """

    def __init__(
        self,
        store: Store,
        evidence: Evidence,
        client: CyberTip,
        settings: ReportSettings,
        folder: Path,
        clock: Callable[[], int],
        chance: random.Random | None = None,
    ) -> None:
        self.store, self.evidence, self.client, self.settings = store, evidence, client, settings
        self.clock = clock
        self.failures = Failures(store, settings, clock, chance or random.Random())  # noqa: S311 (jitter)
        self._schema = schema.current(folder)
        self._answered_at = 0
        #: how far this machine's clock is ahead of the destination's, in ms
        self.ahead_ms = 0

    def run(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Work on everything that can be sent now, the gravest and oldest first; how many reports came to an end."""
        ended = 0
        self._resubmit()
        while not stop() and self.store.down(NAME).retry_at <= self.clock():
            waiting = self.store.waiting(NAME, self.clock(), 1)
            if not waiting:
                break
            ended += self._send(waiting[0], stop)
        return ended

    def _send(self, row: Row, stop: Callable[[], bool]) -> int:
        """Take one report as far as it goes."""
        report: Report | None = None
        while row.state in SENDING and row.next_at <= self.clock() and not stop():
            if self.store.down(NAME).retry_at > self.clock():
                return 0
            try:
                report = report or decode(self.evidence.content(row.content, MACHINE, f"sending report {row.id}"))
                row = self._step(row, report)
            except Changed:
                row = self.store.find(row.id)
            except ReportError as error:
                # Its own content stands in the way: nobody else's report waits for it.
                row = self.failures.give_up(self.store.find(row.id), str(error))
        return int(row.state not in SENDING)

    def _step(self, row: Row, report: Report) -> Row:
        if row.wish and row.reference:
            return self._retract(row)
        if row.state is State.SUBMITTING:
            return self._submit(row, report)
        if row.state is State.UPLOADING:
            return self._upload(row, report)
        return self._finish(row)

    # -- opening -------------------------------------------------------------------------------------------------

    def _submit(self, row: Row, report: Report) -> Row:
        if row.begun_at:
            # Cut short between the request and its answer: whether it was opened, nobody here can know.
            return self.failures.unknown_opening(row, "cut short while it was being opened")
        if row.wish:
            return self.store.change(row, Act.RETRACTED, MACHINE, "it was not sent", self.clock(), **_back(row))
        if not self._answers():
            return self.store.find(row.id)
        ahead = report.incident.at + 1_000 - (self.clock() - max(0, self.ahead_ms))
        if ahead > 0:
            # By the destination's clock the incident would lie in the future: it would refuse it.
            return self.store.set(row, next_at=self.clock() + ahead)
        document = cybertip_xml.report_xml(report, self.store.prior(row))
        self._schema.demand(document, f"report {row.id}")
        row = self.store.change(row, Act.BEGIN, MACHINE, "", self.clock(), begun_at=self.clock())
        try:
            answer = self.client.submit(document)
        except Unreached as error:
            self.failures.down(NAME, str(error))
            return self.store.set(row, begun_at=0)
        except Unknown as error:
            self.failures.down(NAME, str(error))
            return self.failures.unknown_opening(row, str(error))
        at = self._heard(answer)
        if not answer.ok or not answer.report_id:
            return self.failures.declined(row, Call.SUBMIT, answer)
        return self.store.change(
            row, Act.OPENED, MACHINE, f"number {answer.report_id}", at, state=State.UPLOADING,
            reference=answer.report_id, opened_at=at, changed_at=at, begun_at=0, attempts=0,
        )  # fmt: skip

    def _answers(self) -> bool:
        """Whether the destination answers now: asked only when it was silent, or when something had failed."""
        down = self.store.down(NAME)
        if not down.failures and self.clock() - self._answered_at < FRESH_MS:
            return True
        try:
            answer = self.client.status()
        except (Unreached, Unknown) as error:
            self.failures.down(NAME, str(error))
            return False
        self._heard(answer)
        if not answer.ok:
            self.failures.down(NAME, answer.said)
        return answer.ok

    def _heard(self, answer: Answer) -> int:
        """The destination answered; the time by this machine's clock."""
        at = self.clock()
        self._answered_at = at
        if answer.server_at:
            self.ahead_ms = at - answer.server_at
        if self.store.down(NAME).failures and answer.ok:
            self.failures.up(NAME)
        return at

    # -- files ---------------------------------------------------------------------------------------------------

    def _upload(self, row: Row, report: Report) -> Row:
        files = {file.address: file for file in report.files}
        for sent in self.store.files(row.id):
            file = files[sent.address]
            if not sent.file_id:
                return self._upload_one(row, sent, file)
            if not sent.described_at:
                return self._describe(row, sent, file)
        return self.store.change(row, Act.UPLOADED, MACHINE, "all files are there", self.clock(), state=State.FINISHING)

    def _upload_one(self, row: Row, sent: Sent, file: File) -> Row:
        content = self.evidence.content(file.address, MACHINE, f"sent with report {row.id}")
        try:
            answer = self.client.upload(row.reference, file.name, content)
        except (Unreached, Unknown) as error:
            return self.failures.interrupted(row, Call.UPLOAD, error, self._alive)
        at = self._heard(answer)
        if not answer.ok or not answer.file_id:
            return self.failures.declined(row, Call.UPLOAD, answer)
        if answer.md5 != file.md5:
            # Damaged on the way: it is sent again, and that copy is described as what it is.
            with self.store.transaction():
                damaged = f"{sent.damaged} {answer.file_id}".strip()
                self.store.put_file(row.id, msgspec.structs.replace(sent, damaged=damaged))
                return self.failures.again(row, f"file {sent.place + 1} arrived damaged (its MD5 differs)", at)
        with self.store.transaction():
            self.store.put_file(row.id, msgspec.structs.replace(sent, file_id=answer.file_id, md5=answer.md5))
            why = f"file {sent.place + 1} is there"
            return self.store.change(row, Act.UPLOADED, MACHINE, why, at, changed_at=at, attempts=0)

    def _describe(self, row: Row, sent: Sent, file: File) -> Row:
        documents = [cybertip_xml.file_xml(file, row.reference, sent.file_id)]
        documents += [
            cybertip_xml.file_xml(file, row.reference, each, damaged_for=sent.file_id) for each in sent.damaged.split()
        ]
        for document in documents:
            self._schema.demand(document, f"file {sent.place + 1} of report {row.id}")
            try:
                answer = self.client.fileinfo(document)
            except (Unreached, Unknown) as error:
                return self.failures.interrupted(row, Call.FILEINFO, error, self._alive)
            at = self._heard(answer)
            if not answer.ok:
                return self.failures.declined(row, Call.FILEINFO, answer, sent)
        with self.store.transaction():
            self.store.put_file(row.id, msgspec.structs.replace(sent, described_at=at))
            why = f"file {sent.place + 1} is described"
            return self.store.change(row, Act.UPLOADED, MACHINE, why, at, changed_at=at, attempts=0)

    # -- the end -------------------------------------------------------------------------------------------------

    def _finish(self, row: Row) -> Row:
        try:
            answer = self.client.finish(row.reference)
        except (Unreached, Unknown) as error:
            return self.failures.interrupted(row, Call.FINISH, error, self._alive)
        at = self._heard(answer)
        # 5102: it was finished already, by an attempt whose answer was lost.
        if not answer.ok and answer.code != 5102:
            return self.failures.declined(row, Call.FINISH, answer)
        lacking = [sent for sent in self.store.files(row.id) if answer.files and sent.file_id not in answer.files]
        until = at + self.settings.ncmec.hold_days * DAY_MS
        self.evidence.seal(row.case, row.id, "receipt", answer.body or answer.said.encode(), until, MACHINE)
        row = self.store.change(
            row, Act.FINISHED, MACHINE, answer.said, at, state=State.FILED, filed_at=at, words=answer.said, due_at=0,
            attempts=0, wish="", held_until=until, alarm_at=0, alarm="", paged=0,
        )  # fmt: skip
        if lacking:
            row = self.failures.alarm(row, f"filed, but the destination does not list {len(lacking)} of its files")
        return row

    def _retract(self, row: Row) -> Row:
        try:
            answer = self.client.retract(row.reference)
        except (Unreached, Unknown) as error:
            return self.failures.interrupted(row, Call.RETRACT, error, self._alive)
        at = self._heard(answer)
        # 5101: retracted already; 5001: it has expired. Either way nothing is left there.
        if answer.ok or answer.code in (5101, 5001):
            with self.store.transaction():
                self.store.forget_files(row.id)
                return self.store.change(row, Act.RETRACTED, MACHINE, answer.said, at, **_back(row, answer.said))
        if answer.code == 5102:
            # It was finished before it could be taken back.
            until = at + self.settings.ncmec.hold_days * DAY_MS
            why = "it could not be retracted: it was finished"
            return self.store.change(
                row, Act.FINISHED, MACHINE, why, at, state=State.FILED, filed_at=at, words=why, due_at=0, wish="",
                held_until=until,
            )  # fmt: skip
        return self.failures.declined(row, Call.RETRACT, answer)

    def _alive(self) -> bool:
        """Whether the destination answers at all, after something went wrong with one report."""
        try:
            answer = self.client.status()
        except (Unreached, Unknown):
            return False
        self._answered_at = self.clock()
        return answer.ok

    def _resubmit(self) -> None:
        """Reports of which nobody knew whether they were opened: what may be there has expired by now."""
        if not self.settings.resubmit_unknown:
            return
        where = "destination = ? AND state = 'alarming' AND begun_at > 0 AND next_at > 0 AND next_at <= ?"
        for row in self.store.select(where, (NAME, self.clock()), 100, "level DESC, queued_at, id"):
            why = "what may have been opened has expired: it is opened anew"
            self.store.change(
                row, Act.AGAIN, MACHINE, why, self.clock(), state=State.SUBMITTING, begun_at=0, attempts=0, next_at=0
            )


def _back(row: Row, words: str = "") -> dict[str, object]:
    """Where a retraction leads: as a person wished it, after a refusal, or because it would have expired."""
    left = {"reference": "", "opened_at": 0, "changed_at": 0, "wish": "", "next_at": 0, "attempts": 0}
    if row.wish == "refuse":
        return {**left, "state": State.REFUSED, "due_at": 0, "alarm_at": 0, "alarm": "", "paged": 0}
    if row.wish == "expire":
        why = "it could not be completed before it would have expired, and was retracted"
        at = row.changed_at or 1
        return {**left, "state": State.ALARMING, "due_at": 0, "alarm_at": at, "alarm": why, "paged": 0}
    return {**left, "state": State.RETRACTED, "due_at": 0, "alarm_at": 0, "alarm": "", "paged": 0, "words": words}
