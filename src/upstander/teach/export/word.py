"""A document as DOCX, with real headings and lists, so that schools can change it and screen readers can read it."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from typing import Any

from docx import Document as new_document
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from upstander.teach import palette
from upstander.teach.document import Block, Document

PAPERS = {"a4": (210, 297), "letter": (215.9, 279.4)}
#: Documents carry no clock: the same lesson always gives the same words.
STAMP = datetime(2026, 1, 1)


def _colour(value: str) -> RGBColor:
    return RGBColor.from_string(value.removeprefix("#").upper())


def as_docx(document: Document, paper: str = "a4") -> bytes:
    """The document as DOCX on ``a4`` or ``letter``. The exit check's options are tick boxes."""
    made = new_document()
    _page(made, paper)
    _styles(made, document.language)
    _properties(made, document)
    made.add_heading(document.title, level=0)
    made.add_paragraph(document.subtitle, style="Subtitle")
    for part in document.parts:
        made.add_heading(part.title, level=1)
        for block in part.blocks:
            _block(made, block)
    small = made.add_paragraph(document.small_print)
    small.runs[0].font.size, small.runs[0].font.color.rgb = Pt(9), _colour(palette.SOFT)
    buffer = BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def _block(made: Any, block: Block) -> None:
    if block.kind == "heading":
        made.add_heading(block.text, level=2)
    elif block.kind == "paragraph":
        made.add_paragraph(block.text)
    elif block.kind == "choices":
        for item in block.items:
            made.add_paragraph(f"☐ {item}").paragraph_format.left_indent = Mm(6)
    elif block.kind == "numbers":
        # Written out: Word's automatic numbers go on from one list to the next.
        for number, item in enumerate(block.items, 1):
            line = made.add_paragraph(f"{number}.\t{item}")
            line.paragraph_format.left_indent, line.paragraph_format.first_line_indent = Mm(8), Mm(-8)
            line.paragraph_format.tab_stops.add_tab_stop(Mm(8))
    else:
        for item in block.items:
            made.add_paragraph(item, style="List Bullet")


def _page(made: Any, paper: str) -> None:
    section = made.sections[0]
    section.page_width, section.page_height = (Mm(each) for each in PAPERS[paper])
    section.left_margin = section.right_margin = Mm(22)
    section.top_margin = section.bottom_margin = Mm(20)


def _styles(made: Any, language: str) -> None:
    normal = made.styles["Normal"]
    normal.font.name, normal.font.size, normal.font.color.rgb = "Verdana", Pt(11), _colour(palette.INK)
    normal.paragraph_format.space_after = Pt(6)
    normal.paragraph_format.line_spacing = 1.25
    spoken = OxmlElement("w:lang")
    spoken.set(qn("w:val"), {"en": "en-GB", "es": "es-ES"}.get(language, language))
    normal.element.get_or_add_rPr().append(spoken)
    for name, size in (("Title", 24), ("Heading 1", 16), ("Heading 2", 12.5), ("Subtitle", 12)):
        style = made.styles[name]
        style.font.name, style.font.size, style.font.color.rgb = "Verdana", Pt(size), _colour(palette.BRAND)
        style.font.italic = False
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)


def _properties(made: Any, document: Document) -> None:
    core = made.core_properties
    core.title, core.language, core.author, core.comments = document.title, document.language, "Upstander", ""
    core.created = core.modified = STAMP
