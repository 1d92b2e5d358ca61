"""Reports: what they say, that all forms say the same, and that nothing of them is cut off."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import msgspec
import pypdfium2
import pytest
from click.testing import CliRunner

from upstander.cli import group
from upstander.study import words
from upstander.study.figures import COLOURS, DASHES, HATCHES, draw
from upstander.study.folder import Study, create
from upstander.study.invented import fill
from upstander.study.page import as_html
from upstander.study.pdf import as_pdf
from upstander.study.plan import PLANS, SECTIONS
from upstander.study.report import Report, gather, grid


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = create(tmp_path_factory.mktemp("study") / "s", "Captures <found> in spring", date(2026, 3, 1), {})
    fill(made, 1500)
    return made


@pytest.fixture(scope="module")
def report(study: Study) -> Report:
    return gather(study, date(2026, 11, 25))


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return as_html(report)


@pytest.fixture(scope="module")
def pages(report: Report) -> list[str]:
    document = pypdfium2.PdfDocument(as_pdf(report))
    return [document[at].get_textpage().get_text_range() for at in range(len(document))]


def test_every_table_is_in_a_section() -> None:
    assert sorted(key for keys in SECTIONS.values() for key in keys) == sorted(plan.key for plan in PLANS)


def test_page_and_pdf_say_the_same_as_the_tables(report: Report, page: str, pages: list[str]) -> None:
    text = re.sub(r"\s+", " ", " ".join(pages))
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for table in report.tables.tables:
        shown = grid(table)
        assert shown.title in text
        for row in shown.rows:
            for cell in row:
                assert cell in plain
                assert all(part in text for part in cell.split())


def test_every_table_and_figure_names_its_base(report: Report, page: str) -> None:
    for table in report.tables.tables:
        assert f"n = {table.n:,}" in grid(table).foot[0]
    drawings = draw(report.tables)
    assert {"age", "category", "site", "curves"} <= set(drawings)
    for drawing in drawings.values():
        assert "n = " in drawing.caption
        assert drawing.caption.replace("&", "&amp;") in page or drawing.caption in page


def test_methods_limits_and_words_are_in_both(page: str, pages: list[str]) -> None:
    text = re.sub(r"\s+", " ", " ".join(pages))
    for line in (*words.METHODS, *words.LIMITS, *words.TERMS):
        assert line[:40] in text
        assert line[:40].replace("'", "&#x27;") in page


def test_a_title_is_text_and_never_markup(page: str) -> None:
    assert "<found>" not in page
    assert "Captures &lt;found&gt; in spring" in page


def test_the_page_is_whole_in_itself(page: str) -> None:
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', page) == []
    assert "<script" not in page
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", page)


def test_nothing_of_the_pdf_lies_outside_its_paper(report: Report) -> None:
    document = pypdfium2.PdfDocument(as_pdf(report))
    assert 5 < len(document) < 20
    for at in range(len(document)):
        sheet = document[at]
        width, height = sheet.get_size()
        text = sheet.get_textpage()
        for number in range(text.count_rects()):
            left, bottom, right, top = text.get_rect(number)
            assert left >= 40
            assert right <= width - 40
            assert bottom >= 20
            assert top <= height - 20


def test_the_pdf_and_the_figures_are_the_same_each_time(report: Report) -> None:
    assert as_html(report) == as_html(report)
    assert {key: one.svg for key, one in draw(report.tables).items()} == {
        key: one.svg for key, one in draw(report.tables).items()
    }


def test_colours_are_never_alone() -> None:
    assert len(COLOURS) == len(HATCHES) == len(DASHES) == len(set(HATCHES)) == len(set(map(str, DASHES)))


def test_the_command_writes_all_forms(study: Study, tmp_path: Path) -> None:
    html, pdf = tmp_path / "r.html", tmp_path / "r.pdf"
    arguments = ["study", "report", str(study.folder), "--html", str(html), "--pdf", str(pdf), "--json"]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["tables"]["n"] > 1400
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert pdf.read_bytes().startswith(b"%PDF")


def test_json_names_no_coder_no_item_no_domain_and_no_small_count(report: Report) -> None:
    text = msgspec.json.encode(report).decode()
    assert re.search(r"\b(ada|bo|cy)\b", text) is None
    assert re.search(r"[0-9a-f]{64}", text) is None
    assert re.search(r'"i\d+"', text) is None
    assert not re.search(r'"count":[1-4]\b', text)


def test_a_report_needs_a_form(study: Study) -> None:
    result = CliRunner().invoke(group, ["study", "report", str(study.folder)])
    assert (result.exit_code, "--html FILE" in result.output) == (2, True)
