"""Fetching an exchange into a bank, and sending votes back. Each page and its checkpoint are durable together.

Killed anywhere and run again, a bank ends as if nothing had happened: a page is taken in whole or not at all, and
taking it in again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from upstander.captures.banks import ACTIVE, QUARANTINED, Banks
from upstander.captures.errors import CaptureError
from upstander.captures.exchanges.base import Exchange, Page
from upstander.people.audit import Act


class Fetched(msgspec.Struct):
    """What a run brought: pages, new entries, entries withdrawn, values that could not be read."""

    pages: int = 0
    new: int = 0
    withdrawn: int = 0
    unread: int = 0


def fetch(
    banks: Banks, name: str, bank: str, exchange: Exchange, by: str, told: Callable[[Fetched], None] = lambda _: None
) -> Fetched:
    """Take in what changed since the last run. Raises ``CaptureError`` when the server cannot be had: what came before
    is kept."""
    banks.bank(bank)
    done = Fetched()
    try:
        for page in exchange.pages(banks.checkpoint(name)):
            _take(banks, name, bank, page, done)
            told(done)
    finally:
        if done.new or done.withdrawn:
            banks.note(Act.BANK_CHANGE, by, bank, f"fetched from {name}: {done.new} new, {done.withdrawn} withdrawn")
    return done


def _take(banks: Banks, name: str, bank: str, page: Page, done: Fetched) -> None:
    with banks.transaction():
        for change in page.changes:
            if change.reference:
                done.withdrawn += banks.give_up(bank, name, change.reference, change.values)
            for value in change.gone:
                done.withdrawn += banks.give_up(bank, name, banks.reference_of(bank, value.kind, value.value))
            done.new += banks.take_in(bank, change.values, name)
        if page.whole:
            kept = [value for change in page.changes for value in change.values]
            done.withdrawn += banks.leave_only(bank, name, kept)
        banks.stand(name, bank, page.checkpoint)
    done.pages += 1
    done.unread += page.unread


def send_votes(banks: Banks, name: str, bank: str, exchange: Exchange) -> int:
    """Send votes that were not sent yet, in order; how many went. Raises ``CaptureError`` at the first that cannot."""
    entries = {entry.id: entry for entry in banks.opened(bank, (ACTIVE, QUARANTINED))}
    sql = (
        "SELECT votes.id, entry, confirm FROM votes WHERE NOT EXISTS "
        "(SELECT 1 FROM sent WHERE sent.vote = votes.id AND exchange = ?) ORDER BY votes.id"
    )
    sent = 0
    for number, identifier, confirm in banks.connection.execute(sql, (name,)).fetchall():
        entry = entries.get(identifier)
        if entry is None or name not in entry.sources:
            continue
        exchange.vote(entry, banks.references(identifier, name), confirm=bool(confirm))
        values = (number, name, entry.at)
        banks.connection.execute("INSERT OR IGNORE INTO sent VALUES (?, ?, ?)", values)
        sent += 1
    return sent


def no_votes(name: str) -> CaptureError:
    """The error of an exchange that takes no votes."""
    return CaptureError(f"{name} takes no votes. Tell who runs it another way.")
