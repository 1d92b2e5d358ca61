"""Handouts and cards as PDF, typeset by Typst from two templates that lie beside this file. Fonts come with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import typst

from upstander.teach import palette
from upstander.teach.document import Document
from upstander.teach.lessons import Lesson

FOLDER = Path(__file__).parent
PAPERS = {"a4": "a4", "letter": "us-letter"}
#: Parts that begin a page, so that they can be handed out alone.
NEW_PAGE = ("disclosure", "activities", "check", "parent_sheet")
_COLOURS = {
    "ink": palette.INK, "brand": palette.BRAND, "soft": palette.SOFT, "tint": palette.TINT, "sun": palette.SUN,
}  # fmt: skip


def as_pdf(document: Document, paper: str = "a4") -> bytes:
    """The document as PDF on ``a4`` or ``letter``."""
    first = document.parts[0].key
    new_page = [key for key in NEW_PAGE if key != first]
    data = {**msgspec.to_builtins(document), "new_page": new_page}
    return _compile("lesson.typ", data, paper)


def cards_as_pdf(lesson: Lesson, paper: str = "a4") -> bytes:
    """The discussion cards of a lesson, six on a page, to be cut."""
    front = lesson.front
    cards = [{"text": text, "note": f"{front.title} · {n}"} for n, text in enumerate(lesson.cards, 1)]
    return _compile("cards.typ", {"title": front.title, "language": front.language, "cards": cards}, paper)


def _compile(template: str, data: dict[str, Any], paper: str) -> bytes:
    whole = {**data, "paper": PAPERS[paper], "colours": _COLOURS}
    inputs = {"data": msgspec.json.encode(whole).decode()}
    # No fonts of the machine: the same lesson looks the same everywhere.
    made = typst.compile(FOLDER / template, root=FOLDER, sys_inputs=inputs, ignore_system_fonts=True, format="pdf")
    assert isinstance(made, bytes)
    return made
