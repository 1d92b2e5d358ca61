"""Does a document keep to the CyberTipline's schema? The live one (``GET /xsd``), once fetched, is preferred."""

from __future__ import annotations

import functools
from importlib.resources import files
from pathlib import Path

from lxml import etree  # type: ignore[import-untyped]

from upstander.reports.model import ReportError

#: The live schema's file in the data folder.
LIVE = "cybertip.xsd"
MAX_BYTES = 4 * 1024 * 1024


def parser() -> etree.XMLParser:
    """A parser that loads nothing and expands nothing: for XML that others wrote."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


class Schema:
    """A schema; ``live`` says whether it is the destination's own."""

    def __init__(self, data: bytes, *, live: bool = False) -> None:
        """Raises ``ReportError`` when the data is no schema."""
        self.live = live
        try:
            tree = etree.fromstring(data, parser())
            if tree.getroottree().docinfo.doctype:
                raise ReportError("the schema has a document type, which is not taken. Report it to the destination.")
            self._schema = etree.XMLSchema(tree)
        except (etree.XMLSyntaxError, etree.XMLSchemaParseError, ValueError) as error:
            raise ReportError(f"the schema cannot be used ({error}). Fetch it again, or remove it.") from None

    def faults(self, document: bytes) -> list[str]:
        """What is wrong with a document: element and reason, without any of the document's text. Empty: it is valid."""
        try:
            tree = etree.fromstring(document, parser())
        except etree.XMLSyntaxError as error:
            return [f"not well-formed (line {error.lineno})"]
        if tree.getroottree().docinfo.doctype:
            return ["it has a document type, which no report has"]
        if self._schema.validate(tree):
            return []
        return [f"{_place(each.path)}: {each.type_name}" for each in self._schema.error_log]

    def demand(self, document: bytes, what: str) -> None:
        """Raises ``ReportError`` when the document is not valid."""
        faults = self.faults(document)
        if faults:
            raise ReportError(f"{what} does not keep to the schema: {'; '.join(faults[:5])}. Correct the draft.")


def _place(path: str | None) -> str:
    return path or "the document"


@functools.lru_cache(maxsize=1)
def bundled() -> Schema:
    """The schema that ships, written from the documentation."""
    return Schema((files("upstander.reports") / LIVE).read_bytes())


def bundled_bytes() -> bytes:
    """The bytes of the schema that ships."""
    return (files("upstander.reports") / LIVE).read_bytes()


def current(folder: Path) -> Schema:
    """The live schema that was fetched into the data folder, or else the one that ships."""
    path = folder / LIVE
    return Schema(path.read_bytes(), live=True) if path.exists() else bundled()


def keep(folder: Path, data: bytes) -> Schema:
    """Keep a schema that was fetched. Raises ``ReportError`` when it is none: the one before stays."""
    if len(data) > MAX_BYTES:
        raise ReportError(f"the schema has {len(data):,} bytes; {MAX_BYTES:,} are taken. Report it to the destination.")
    made = Schema(data, live=True)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = folder / f"{LIVE}.part"
    part.write_bytes(data)
    part.replace(folder / LIVE)
    return made
