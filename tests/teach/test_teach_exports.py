"""What leaves for schools: PDF, DOCX, PPTX, cards, SCORM and xAPI open, say what the lesson says, and load nothing."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from docx import Document as open_docx
from pptx import Presentation

from browsing import launched, needs_chromium, wrong
from upstander.cli.teach_export import FORMATS, HANDOUTS, render
from upstander.teach.document import blocks_of, document_of
from upstander.teach.export.validate import faults_of
from upstander.teach.lessons import Lesson, find, shipped
from upstander.teach.reading import TeachError

SCHEMAS = Path(__file__).parent / "data" / "scorm12"


def lesson(name: str = "11-13-audience", language: str = "en") -> Lesson:
    return find(shipped(), name, language)


def made(form: str, handout: str = "teacher", paper: str = "a4", **which: str) -> bytes:
    return render(lesson(**which), form, handout, paper, "GB")


@pytest.mark.parametrize("key", list(shipped()), ids="-".join)
def test_every_lesson_goes_out_in_every_format_without_a_fault(key: tuple[str, str]) -> None:
    for form in FORMATS:
        assert faults_of(made(form, name=key[1], language=key[0]), SCHEMAS) == [], form


@pytest.mark.parametrize("form", ["docx", "pptx", "scorm", "xapi", "cartridge", "pdf", "cards"])
def test_the_same_lesson_gives_the_same_file(form: str) -> None:
    first, second = made(form), made(form)
    if form in ("docx", "pptx"):
        # Office files are zips that carry the time of writing: what is inside counts.
        one, two = (zipfile.ZipFile(BytesIO(each)) for each in (first, second))
        assert {name: one.read(name) for name in one.namelist()} == {name: two.read(name) for name in two.namelist()}
    else:
        assert first == second


def test_docx_has_the_whole_lesson_with_headings_that_a_screen_reader_finds() -> None:
    opened = open_docx(BytesIO(made("docx")))
    document = document_of(lesson(), "GB")
    headings = [paragraph.text for paragraph in opened.paragraphs if paragraph.style.name == "Heading 1"]
    assert headings == [part.title for part in document.parts]
    said = "\n".join(paragraph.text for paragraph in opened.paragraphs)
    for part in document.parts:
        for block in part.blocks:
            for text in (block.text, *block.items):
                assert text in said
    assert opened.core_properties.title == lesson().front.title


def test_papers_have_their_sizes() -> None:
    a4, letter = (open_docx(BytesIO(made("docx", paper=paper))).sections[0] for paper in ("a4", "letter"))
    assert (round(a4.page_width.mm), round(a4.page_height.mm)) == (210, 297)
    assert (round(letter.page_width.mm), round(letter.page_height.mm)) == (216, 279)
    assert made("pdf") != made("pdf", paper="letter")


def test_handouts_for_pupils_have_no_answers_and_no_notes_for_the_teacher() -> None:
    answers = document_of(lesson()).part("answers").title
    for handout in HANDOUTS:
        headings = [p.text for p in open_docx(BytesIO(made("docx", handout))).paragraphs if p.style.name == "Heading 1"]
        assert (answers in headings) == (handout == "teacher")
    with pytest.raises(Exception, match="has no parents handout") as raised:
        # A staff briefing has no sheet for parents, but places of help: that alone is no handout.
        made("docx", "parents", name="staff-briefing")
    assert "staff-briefing" in str(raised.value)


def test_slides_show_the_class_its_part_and_keep_the_rest_in_the_notes() -> None:
    opened = Presentation(BytesIO(made("pptx")))
    slides = list(opened.slides)
    assert all(slide.shapes.title.text_frame.text for slide in slides)
    shown = "\n".join(shape.text_frame.text for slide in slides for shape in slide.shapes if shape.has_text_frame)
    for text in (*lesson().front.objectives, *lesson().cards, *(each.ask for each in lesson().front.questions)):
        assert text in shown
    assert lesson().texts["disclosure"][:40] not in shown
    notes = "\n".join(slide.notes_slide.notes_text_frame.text for slide in slides if slide.has_notes_slide)
    assert all(step.text in notes for step in lesson().activities)


def test_nothing_on_a_slide_lies_outside_of_it() -> None:
    opened = Presentation(BytesIO(made("pptx")))
    for slide in opened.slides:
        for shape in slide.shapes:
            assert shape.left >= 0
            assert shape.left + shape.width <= opened.slide_width
            assert shape.top + shape.height <= opened.slide_height


def test_a_pdf_is_tagged_and_names_its_language() -> None:
    data = made("pdf", language="es")
    assert b"/MarkInfo" in data
    assert b"/Lang" in data


def test_places_of_help_are_those_of_the_country() -> None:
    assert any("Childline" in item for item in document_of(lesson(), "GB").part("help").blocks[0].items)
    assert any("ISPCC" in item for item in document_of(lesson(), "IE").part("help").blocks[0].items)
    with pytest.raises(TeachError, match="no places of help are listed for 'XX'"):
        document_of(lesson(), "XX")


def test_markdown_becomes_blocks_with_nothing_lost() -> None:
    blocks = blocks_of("### One\nTwo *three*\nfour.\n\n- a\n- b\n\n1. c\n2. d\n")
    assert [block.kind for block in blocks] == ["heading", "paragraph", "bullets", "numbers"]
    assert blocks[1].text == "Two three four."
    assert (blocks[2].items, blocks[3].items) == (("a", "b"), ("c", "d"))


# -- the validator can fail ----------------------------------------------------------------------------------------


def changed(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(BytesIO(data)) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    change(files)
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        for name, content in files.items():
            written.writestr(name, content)
    return buffer.getvalue()


def swap(name: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    return change


MANIFEST = "imsmanifest.xml"
BROKEN = [
    (swap(MANIFEST, b"1.2</schemaversion>", b"2004</schemaversion>"), "schemaversion"),
    (swap(MANIFEST, b'identifierref="page"', b'identifierref="none"'), "names a resource that is not there"),
    (swap(MANIFEST, b'default="lesson"', b'default="other"'), "default organisation"),
    (swap(MANIFEST, b' adlcp:scormtype="sco"', b""), "scormtype"),
    (swap(MANIFEST, b"</manifest>", b""), "not well-formed"),
    (swap("index.html", b'src="lesson.js"', b'src="https://cdn.example/lesson.js"'), "loads something from elsewhere"),
    (lambda files: files.pop("lesson.js"), "not in the package"),
    (lambda files: files.update({"extra.js": b""}), "not in imsmanifest.xml"),
    (lambda files: files.update({"../out.js": b""}), "outside the folder"),
    (lambda files: files.pop(MANIFEST), "no imsmanifest.xml"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=[each[1] for each in BROKEN])
def test_a_broken_package_is_found_and_said_why(change: Callable[[dict[str, bytes]], None], message: str) -> None:
    assert any(message in fault for fault in faults_of(changed(made("scorm"), change)))


def test_the_schema_of_scorm_finds_what_it_forbids() -> None:
    wrong = changed(made("scorm"), swap(MANIFEST, b'<item identifier="item"', b"<item"))
    assert faults_of(wrong) == []
    assert any("identifier" in fault for fault in faults_of(wrong, SCHEMAS))
    assert any("all must lie there" in fault for fault in faults_of(made("scorm"), SCHEMAS.parent))


QUIZ_FILE = "quiz/assessment.xml"
BROKEN_CARTRIDGE = [
    (swap(MANIFEST, b"1.1.0</schemaversion>", b"2.0</schemaversion>"), "schemaversion"),
    (swap(MANIFEST, b'identifierref="quiz"', b'identifierref="none"'), "names a resource that is not there"),
    (swap(MANIFEST, b'href="lesson/index.html">', b'href="lesson/none.html">'), "opened at a file"),
    (swap(QUIZ_FILE, b'ident="option1"', b'ident="optionx"'), "no one right answer"),
    (swap(QUIZ_FILE, b"</questestinterop>", b""), "not well-formed"),
    (lambda files: files.pop(QUIZ_FILE), "not in the package"),
    (lambda files: files.update({"extra.js": b""}), "not in imsmanifest.xml"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN_CARTRIDGE, ids=[each[1] for each in BROKEN_CARTRIDGE])
def test_a_broken_cartridge_is_found_and_said_why(change: Callable[[dict[str, bytes]], None], message: str) -> None:
    assert any(message in fault for fault in faults_of(changed(made("cartridge"), change)))


def test_a_cartridge_asks_what_the_lesson_asks_and_knows_the_answers() -> None:
    with zipfile.ZipFile(BytesIO(made("cartridge", language="es"))) as opened:
        root = ElementTree.fromstring(opened.read(QUIZ_FILE))
    ns = {"q": "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"}
    found = []
    for item in root.iterfind(".//q:item", ns):
        texts = [text.text for text in item.iterfind(".//q:mattext", ns)]
        labels = [label.get("ident") for label in item.iterfind(".//q:response_label", ns)]
        found.append((texts[0], tuple(texts[1:]), labels.index(item.findtext(".//q:varequal", namespaces=ns)) + 1))
    assert found == [(each.ask, each.options, each.answer) for each in lesson(language="es").front.questions]


def test_what_is_no_package_is_refused() -> None:
    assert "neither a PDF nor a zip" in faults_of(b"hello")[0]
    assert "breaks off" in faults_of(made("pdf")[:-2000])[0]


# -- in a player ---------------------------------------------------------------------------------------------------

PLAYER = b"""<!doctype html><title>Player</title><script>
window.asked = []; window.values = {"cmi.core.lesson_status": "not attempted"}; window.calls = [];
window.API = {
  LMSInitialize: (x) => { calls.push("initialize"); return "true"; },
  LMSFinish: (x) => { calls.push("finish"); return "true"; },
  LMSGetValue: (key) => { asked.push(key); return values[key] ?? ""; },
  LMSSetValue: (key, value) => {
    if (typeof value !== "string") throw new Error(key);
    values[key] = value;
    return "true";
  },
  LMSCommit: (x) => { calls.push("commit"); return "true"; },
  LMSGetLastError: () => "0", LMSGetErrorString: () => "", LMSGetDiagnostic: () => "",
};</script><iframe id="sco" src="/sco/index.html" width="900" height="900"></iframe>"""


@pytest.fixture
def platform() -> Iterator[Any]:
    """A school's platform: a reference player for SCORM, and a store for xAPI statements."""

    class Handler(BaseHTTPRequestHandler):
        package: bytes = b""
        statements: list[Any] = []  # noqa: RUF012 - one platform a test

        def do_GET(self) -> None:
            name = self.path.split("?")[0].removeprefix("/sco/")
            body = PLAYER if name == "/player" else b""
            if not body:
                with zipfile.ZipFile(BytesIO(self.package)) as opened:
                    body = opened.read(name) if name in opened.namelist() else b""
            kinds = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
            self.send_response(200 if body else 404)
            self.send_header("content-type", kinds.get(name.rsplit(".", 1)[-1], "text/html"))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            version = self.headers["x-experience-api-version"]
            self.statements.append((self.path, version, json.loads(self.rfile.read(length))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    Handler.statements = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield Handler, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page() -> Iterator[Any]:
    with launched() as browser:
        opened: Any = browser.new_page()
        opened.asked = []
        opened.on("request", lambda request: opened.asked.append(request.url))
        yield opened


def answer(frame: Any, answers: list[int]) -> None:
    for number, value in enumerate(answers):
        frame.check(f'input[name="q{number}"][value="{value}"]')
    frame.click("button")


@needs_chromium
def test_the_scorm_package_runs_in_a_player_tells_the_score_and_asks_for_no_name(platform: Any, page: Any) -> None:
    handler, origin = platform
    handler.package = made("scorm")
    page.goto(f"{origin}/player")
    frame = page.frame_locator("#sco")
    frame.locator("#check").wait_for()
    inner = page.frames[1]
    right = [question.answer for question in lesson().front.questions]
    inner.click("button")
    assert "Choose one answer" in inner.text_content("#result")
    answer(inner, [*right[:-1], right[-1] % len(lesson().front.questions[-1].options) + 1])
    assert "3 of 4" in inner.text_content("#result")
    values = page.evaluate("values")
    assert values["cmi.core.score.raw"] == "75"
    assert values["cmi.core.lesson_status"] == "completed"
    assert values["cmi.interactions.3.result"] == "wrong"
    assert page.evaluate("asked") == ["cmi.core.lesson_status"]
    page.evaluate("document.getElementById('sco').remove()")
    assert page.evaluate("calls")[0] == "initialize"
    assert page.evaluate("calls")[-1] == "finish"
    assert page.evaluate("values")["cmi.core.session_time"].startswith("0000:00:")
    assert {url.split("/")[2] for url in page.asked} == {origin.split("/")[2]}


@needs_chromium
def test_the_page_works_without_any_platform_and_is_accessible(platform: Any, page: Any) -> None:
    handler, origin = platform
    handler.package = made("scorm", language="es")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{origin}/sco/index.html")
    answer(page, [question.answer for question in lesson(language="es").front.questions])
    assert "4 de 4" in page.text_content("#result")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert wrong(page) == []


@needs_chromium
def test_the_xapi_package_sends_one_statement_where_the_platform_says_and_none_without(
    platform: Any, page: Any
) -> None:
    handler, origin = platform
    handler.package = made("xapi")
    right = [question.answer for question in lesson().front.questions]
    page.goto(f"{origin}/sco/index.html")
    answer(page, right)
    assert handler.statements == []
    actor = {"account": {"homePage": "https://school.example", "name": "pupil-17"}}
    page.goto(f"{origin}/sco/index.html?endpoint={origin}/lrs/&auth=Basic+x&actor={json.dumps(actor)}")
    with page.expect_response("**/lrs/statements"):
        answer(page, right)
    path, version, statement = handler.statements[0]
    assert (path, version) == ("/lrs/statements", "1.0.3")
    assert statement["actor"] == actor
    assert statement["result"]["score"]["scaled"] == 1
    assert statement["object"]["id"].startswith("urn:upstander:lesson:en:11-13-audience")
