"""The card as it leaves: plain JSON that a platform renders itself or hands to ``<upstander-nudge>``."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Do(StrEnum):
    """What a button of a card asks the platform to do. ``dismiss`` only closes the card."""

    BLOCK_VIEWER = "block_viewer"
    COMMENTS_OFF = "comments_off"
    END_STREAM = "end_stream"
    TELL_SOMEONE = "tell_someone"
    DISMISS = "dismiss"


class Offer(msgspec.Struct, frozen=True, gc=False):
    """One button: what it does and the words on it."""

    do: Do
    label: str


class Place(msgspec.Struct, frozen=True, gc=False):
    """One place of help: a telephone number in ``contact``, an https address in ``url``; one may be empty."""

    name: str
    purpose: str = msgspec.field(name="for")
    contact: str
    url: str


class Headings(msgspec.Struct, frozen=True, gc=False):
    """The words above the buttons and above the places of help."""

    actions: str
    help: str


class Card(msgspec.Struct, frozen=True, gc=False):
    """One card for one host.

    ``id`` is the action's (32 hexadecimal digits) and names this nudge in ``POST /v1/nudges/{id}``. ``topic`` is a
    tactic or ``general``, ``band`` the band whose wording it is, ``direction`` ``ltr`` or ``rtl``. An ``urgent`` card
    may take the keyboard; any other waits to be looked at. ``version`` is the wording's.
    """

    id: str
    topic: str
    band: str
    language: str
    direction: str
    urgent: bool
    title: str
    noticed: str
    headings: Headings
    actions: tuple[Offer, ...]
    help: tuple[Place, ...]
    version: int
