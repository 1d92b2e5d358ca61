"""One page with every card, for those who write, review and embed them. It loads nothing and needs no server."""

from __future__ import annotations

import msgspec

from upstander.nudge.cards import BANDS, FOLDER, INTERNATIONAL, TOPICS, Library
from upstander.nudge.choose import make_card
from upstander.nudge.payload import Card


def cards(library: Library, country: str = INTERNATIONAL) -> list[Card]:
    """Every card: by language, then band, then topic; a band that falls back shows what its hosts see."""
    made = []
    for language in library.languages:
        for band in BANDS:
            for topic in TOPICS:
                sheet = library.sheets.get((language, topic))
                if sheet is not None:
                    made.append(make_card(library, sheet, band, country, f"{language}-{topic}-{band}"))
    return made


def page(library: Library, country: str = INTERNATIONAL) -> str:
    """The page as HTML, with the component, its own script and style, and all cards inside."""
    # Not a template language: four marks, each there once, replaced by files of this package and by JSON.
    folder = FOLDER / "static"
    data = {"cards": cards(library, country), "country": country, "bands": BANDS, "languages": library.languages}
    parts = {
        "/*style*/": folder.joinpath("preview.css").read_text(encoding="utf-8"),
        "/*component*/": folder.joinpath("upstander-nudge.js").read_text(encoding="utf-8"),
        "/*script*/": folder.joinpath("preview.js").read_text(encoding="utf-8"),
        # Nothing in it can end the element it stands in.
        "/*data*/": msgspec.json.encode(data).decode().replace("<", "\\u003c"),
    }
    text = folder.joinpath("preview.html").read_text(encoding="utf-8")
    for mark, content in parts.items():
        text = text.replace(mark, content)
    return text
