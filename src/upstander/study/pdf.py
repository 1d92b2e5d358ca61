"""A report as PDF, set by typst from the same words and figures as the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
import typst

from upstander.study.errors import StudyError
from upstander.study.figures import Drawing, draw
from upstander.study.plan import SECTIONS
from upstander.study.report import Grid, Report, agreement_grid, comparison_grids, grid, removal_grid

TEMPLATE = Path(__file__).parent / "data" / "report.typ"


def as_pdf(report: Report) -> bytes:
    """The PDF's bytes. Raises ``StudyError`` when it cannot be set."""
    data = msgspec.json.encode(_data(report)).decode()
    # matplotlib carries DejaVu Sans, so that page, figures and PDF look alike on every machine.
    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    try:
        found = typst.compile(
            str(TEMPLATE), format="pdf", sys_inputs={"report": data}, font_paths=[str(fonts)], ignore_system_fonts=True
        )
    except (RuntimeError, ValueError) as error:
        raise StudyError("report", f"the PDF cannot be set ({error})", "Ask for --html, and report this") from None
    return bytes(found)


def _data(report: Report) -> dict[str, Any]:
    drawn = draw(report.tables)
    sections: list[tuple[str, list[Grid]]] = [
        (title, [grid(report.tables.table(key)) for key in keys]) for title, keys in SECTIONS.items()
    ]
    sections.append(("Between years", comparison_grids(report.tables)))
    sections.append(("How long they stay up", [removal_grid(report.tables)]))
    sections.append(("Agreement of coders", [agreement_grid(report)]))
    return {
        "title": report.title,
        "limits": report.limits,
        "facts": report.facts,
        "methods": report.methods,
        "terms": report.terms,
        "sections": [
            {"title": title, "grids": [_grid(one, drawn.get(one.key)) for one in grids]} for title, grids in sections
        ],
    }


def _grid(one: Grid, drawing: Drawing | None) -> dict[str, Any]:
    return {
        "title": one.title,
        "heads": one.heads,
        "rows": one.rows,
        "note": one.note,
        "foot": one.foot,
        "figure": drawing.svg if drawing else None,
        "caption": drawing.caption if drawing else "",
    }
