"""What can be said of the banks without opening an entry: counts, sources, exchanges, what is in quarantine."""

from __future__ import annotations

import sqlite3

import msgspec

from upstander.captures.banks import QUARANTINED, Bank, Banks

#: Entries in quarantine that are listed at most, the latest first.
LISTED = 200


class Source(msgspec.Struct, frozen=True):
    """Who stands by how many entries of a bank, and has withdrawn how many."""

    name: str
    entries: int
    withdrawn: int


class Exchange(msgspec.Struct, frozen=True):
    """An exchange, and when (epoch milliseconds) it last brought something."""

    name: str
    at: int


class Quarantined(msgspec.Struct, frozen=True):
    """An entry that matches nothing until a person releases it. Its id tells nothing of its value."""

    id: str
    bank: str
    kind: str
    at: int
    why: str


class Overview(msgspec.Struct, frozen=True):
    """A bank with its sources, exchanges, and the votes that no exchange has been told of."""

    bank: Bank
    sources: list[Source]
    exchanges: list[Exchange]
    votes_waiting: int


def overview(banks: Banks) -> list[Overview]:
    """Every bank, by name."""
    return [_one(banks.connection, bank) for bank in banks.all()]


def _one(connection: sqlite3.Connection, bank: Bank) -> Overview:
    counted = (
        "SELECT source, count(*) FILTER (WHERE withdrawn = 0), count(*) FILTER (WHERE withdrawn <> 0)"
        " FROM origins WHERE bank = ? GROUP BY source ORDER BY source"
    )
    sources = [Source(*row) for row in connection.execute(counted, (bank.name,))]
    standing = "SELECT exchange, at FROM checkpoints WHERE bank = ? ORDER BY exchange"
    exchanges = [Exchange(*row) for row in connection.execute(standing, (bank.name,))]
    unsent = (
        "SELECT count(*) FROM votes WHERE entry IN (SELECT id FROM entries WHERE bank = ?)"
        " AND id NOT IN (SELECT vote FROM sent)"
    )
    return Overview(bank, sources, exchanges, connection.execute(unsent, (bank.name,)).fetchone()[0])


def quarantined(banks: Banks) -> list[Quarantined]:
    """The entries in quarantine, the latest first, at most ``LISTED``."""
    sql = "SELECT id, bank, kind, at, why FROM entries WHERE state = ? ORDER BY at DESC, id LIMIT ?"
    return [Quarantined(*row) for row in banks.connection.execute(sql, (QUARANTINED, LISTED))]
