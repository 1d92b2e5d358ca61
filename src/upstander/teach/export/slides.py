"""A lesson as PPTX: title, objectives, ground rules, one slide for each activity and card, exit check, help."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.util import Cm, Pt

from upstander.teach import palette
from upstander.teach.document import Block, Document, help_line, places_of
from upstander.teach.lessons import Lesson

WIDE, HIGH = 33.867, 19.05
LINES_A_SLIDE = 6


def _colour(value: str) -> RGBColor:
    made: RGBColor = RGBColor.from_string(value.removeprefix("#").upper())  # type: ignore[no-untyped-call]
    return made


def as_pptx(lesson: Lesson, document: Document, country: str) -> bytes:
    """The slides that a class sees; what the teacher does is in the notes below them."""
    made = Presentation()
    made.slide_width, made.slide_height = Cm(WIDE), Cm(HIGH)
    made.core_properties.title, made.core_properties.author = lesson.front.title, "Upstander"
    made.core_properties.language = lesson.front.language
    _title(made, lesson.front.title, document.subtitle)
    _listing(made, document.part("glance").title, lesson.front.objectives)
    rules = [item for block in document.part("ground_rules").blocks for item in block.items]
    _listing(made, document.part("ground_rules").title, tuple(rules))
    for step in lesson.activities:
        slide = _slide(made, step.title)
        _text(slide, f"{step.minutes} min", top=7, size=60, centre=True)
        slide.notes_slide.notes_text_frame.text = step.text
    for card in lesson.cards:
        _card(made, document.part("cards").title, card)
    for title, options in _questions(document.part("check").blocks):
        _listing(made, title, tuple(f"{letter}   {each}" for letter, each in zip("ABCDEF", options, strict=False)))
    places = tuple(help_line(each) for each in places_of(tuple(lesson.front.help), country, lesson.front.language))
    _listing(made, document.part("help").title, places)
    buffer = BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def _questions(blocks: tuple[Block, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for heading, choices in zip(blocks[::2], blocks[1::2], strict=True):
        yield heading.text, choices.items


def _slide(made: Any, title: str) -> Any:
    # The layout "title only": its placeholder is what screen readers and outlines call the slide.
    slide = made.slides.add_slide(made.slide_layouts[5])
    placed = slide.shapes.title
    placed.left, placed.top, placed.width, placed.height = Cm(1.8), Cm(1.2), Cm(WIDE - 3.6), Cm(3)
    placed.text_frame.text = title
    placed.text_frame.vertical_anchor = MSO_ANCHOR.MIDDLE
    _style(placed.text_frame, 34, palette.BRAND, bold=True, align=PP_ALIGN.LEFT)
    return slide


def _title(made: Any, title: str, subtitle: str) -> None:
    slide = _slide(made, title)
    slide.background.fill.solid()
    slide.background.fill.fore_color.rgb = _colour(palette.BRAND)
    slide.shapes.title.top, slide.shapes.title.height = Cm(5.4), Cm(5)
    _style(slide.shapes.title.text_frame, 48, palette.PAPER, bold=True, align=PP_ALIGN.LEFT)
    _text(slide, subtitle, top=11, size=24, colour=palette.PAPER)


def _text(slide: Any, text: str, top: float, size: int, colour: str = palette.INK, centre: bool = False) -> None:
    box = slide.shapes.add_textbox(Cm(1.8), Cm(top), Cm(WIDE - 3.6), Cm(5))
    box.text_frame.word_wrap = True
    box.text_frame.text = text
    _style(box.text_frame, size, colour, align=PP_ALIGN.CENTER if centre else PP_ALIGN.LEFT)


def _listing(made: Any, title: str, items: tuple[str, ...]) -> None:
    for start in range(0, len(items), LINES_A_SLIDE):
        slide = _slide(made, title)
        box = slide.shapes.add_textbox(Cm(2), Cm(5), Cm(WIDE - 4), Cm(HIGH - 6.5))
        frame = box.text_frame
        frame.word_wrap = True
        frame.text = "\n".join(items[start : start + LINES_A_SLIDE])
        # Read from the back of a room: as large as fits, counting the lines that long items take.
        _style(frame, 32 if sum(-(-len(each) // 48) for each in items) <= 7 else 26, palette.INK, align=PP_ALIGN.LEFT)
        for paragraph in frame.paragraphs:
            paragraph.space_after = Pt(14)


def _card(made: Any, title: str, text: str) -> None:
    slide = _slide(made, title)
    shape = slide.shapes.add_shape(MSO_SHAPE.ROUNDED_RECTANGLE, Cm(4), Cm(5), Cm(WIDE - 8), Cm(11))
    shape.fill.solid()
    shape.fill.fore_color.rgb, shape.line.color.rgb = _colour(palette.SUN), _colour(palette.BRAND)
    shape.shadow.inherit = False
    frame = shape.text_frame
    frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.MIDDLE
    frame.text = text
    _style(frame, 34, palette.INK, align=PP_ALIGN.CENTER)


def _style(frame: Any, size: int, colour: str, bold: bool = False, align: Any = None) -> None:
    for paragraph in frame.paragraphs:
        paragraph.alignment = align
        for run in paragraph.runs:
            run.font.size, run.font.bold, run.font.name = Pt(size), bold, "Verdana"
            run.font.color.rgb = _colour(colour)
