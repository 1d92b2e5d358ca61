"""The page: self-contained, every figure with its table and limits, an empty state where nothing can be computed."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser

import pytest
from corpus_support import Format
from test_summary_of_traces import ABOUT, CASES, case, pair

from upstander.evaluate import figures
from upstander.evaluate.corpus import CorpusError
from upstander.evaluate.report import as_html
from upstander.evaluate.run import TacticCount
from upstander.evaluate.summary import About, summarise

pytest.importorskip("matplotlib")


class Outline(HTMLParser):
    """Counts elements, and keeps ids and what refers to something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            elif name in ("src", "href", "xlink:href", "data", "action"):
                self.references.append(str(value))


def test_the_page_is_self_contained_and_has_every_section() -> None:
    labelled = case("t", True, pair("x", True, (3.0, 1)))
    labelled.tactics = {"secrecy": TacticCount(both=1)}
    page = as_html(summarise([*CASES, labelled], ABOUT))
    found = Outline(page)
    assert found.tags.count("svg") == 4
    assert found.tags.count("table") == 8
    assert "script" not in found.tags
    assert "link" not in found.tags
    assert all(reference.startswith("#") for reference in found.references)
    assert "url(http" not in page
    assert len(found.ids) == len(set(found.ids))
    assert found.tags.count("svg") == len(re.findall(r'<svg role="img" aria-label="[^"]+"', page))
    assert "not measurable with 10.0 benign hours" in page
    assert "Read this first" in page


def test_what_cannot_be_computed_says_why() -> None:
    page = as_html(summarise([], ABOUT))
    assert "<svg" not in page
    assert page.count("Cannot be computed") == 7
    assert "it takes both harmful and benign broadcasts" in page


def test_names_from_the_data_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>"
    about = About(files=[evil], formats=[Format.WIRE], host_age_band="10_12", versions={})
    page = as_html(
        summarise([case("c", True, pair("x", True, (3.0, 1)), language=evil, slice_tags=frozenset({evil}))], about)
    )
    assert evil not in page
    assert "&lt;script&gt;" in page


def test_the_same_results_give_the_same_page() -> None:
    assert as_html(summarise(CASES, ABOUT)) == as_html(summarise(CASES, ABOUT))


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(CorpusError, match=r"upstander\[evaluate\]"):
        figures.require()
