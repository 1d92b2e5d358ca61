"""Every word of ours around the content, by key, and its translations: gettext catalogues in ``locale/<language>.po``.

A new language: ``pybabel init`` from ``locale/teach.pot``, translate, put the file there. English needs no file.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from upstander.teach.interface import MESSAGES
from upstander.teach.reading import FOLDER, TeachError

LOCALE = FOLDER / "locale"


class Words:
    """The words of one language, by key. ``words("points", count=3)`` fills places in."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self.texts = dict(texts)

    def __call__(self, key: str, **values: object) -> str:
        """The words for a key, with places filled in."""
        return self.texts[key].format(**values) if values else self.texts[key]


def languages() -> tuple[str, ...]:
    """The languages there are words in, English first."""
    return ("en", *sorted(path.stem for path in LOCALE.glob("*.po")))


@functools.cache
def words(language: str) -> Words:
    """The words of a language. Raises ``TeachError`` when there are none, or not all."""
    if language == "en":
        return Words(language, MESSAGES)
    path = LOCALE / f"{language}.po"
    if not path.exists():
        raise TeachError(f"there are no words in {language!r} ({path}). There are: {', '.join(languages())}.")
    found = catalogue(language)
    if missing := [text for text in MESSAGES.values() if not found.get(text)]:
        raise TeachError(f"{path}: {len(missing)} texts are not translated, the first is {missing[0]!r}.")
    return Words(language, {key: found[text] for key, text in MESSAGES.items()})


def catalogue(language: str) -> dict[str, str]:
    """A language's catalogue: English text to translation. Fuzzy ones are left out: nobody has confirmed them."""
    from babel.messages.pofile import read_po  # noqa: PLC0415 - only with upstander[teach]

    with (LOCALE / f"{language}.po").open("rb") as file:
        read = read_po(file, locale=language)
    return {str(each.id): str(each.string) for each in read if each.id and not each.fuzzy}
