"""A lesson's pages for a school's own learning platform: a SCORM 1.2 or an xAPI package, the same bytes each time."""

from __future__ import annotations

import zipfile
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import msgspec

from upstander.teach.document import Document, places_of
from upstander.teach.lessons import Lesson
from upstander.teach.words import words

STATIC = Path(__file__).parent / "static"
FILES = ("index.html", "lesson.css", "lesson.js")
CP = "http://www.imsproject.org/xsd/imscp_rootv1p1p2"
ADL = "http://www.adlnet.org/xsd/adlcp_rootv1p2"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
TIN_CAN = "http://projecttincan.com/tincan.xsd"
#: The time that every file in a package has.
STAMP = (2026, 1, 1, 0, 0, 0)


def as_scorm(lesson: Lesson, document: Document, country: str) -> bytes:
    """A SCORM 1.2 package: one page with objectives, rules, cards, exit check, help. The score goes to the platform."""
    return zipped({"imsmanifest.xml": manifest(lesson), **pages(lesson, document, country, xapi=False)})


def as_xapi(lesson: Lesson, document: Document, country: str) -> bytes:
    """An xAPI package (``tincan.xml``): the same page; at its end one statement goes where the platform says."""
    return zipped({"tincan.xml": tin_can(lesson), **pages(lesson, document, country, xapi=True)})


def activity_id(lesson: Lesson) -> str:
    """The activity's IRI in xAPI statements."""
    return f"urn:upstander:lesson:{lesson.front.language}:{lesson.front.id}:{lesson.front.version}"


def manifest(lesson: Lesson) -> bytes:
    """``imsmanifest.xml`` of SCORM 1.2: one organisation with one item, which is one SCO."""
    for prefix, uri in (("", CP), ("adlcp", ADL), ("xsi", XSI)):
        Xml.register_namespace(prefix, uri)
    front = lesson.front
    root = Xml.Element(f"{{{CP}}}manifest", {"identifier": f"upstander-{front.language}-{front.id}", "version": "1"})
    root.set(f"{{{XSI}}}schemaLocation", f"{CP} imscp_rootv1p1p2.xsd {ADL} adlcp_rootv1p2.xsd")
    metadata = Xml.SubElement(root, f"{{{CP}}}metadata")
    Xml.SubElement(metadata, f"{{{CP}}}schema").text = "ADL SCORM"
    Xml.SubElement(metadata, f"{{{CP}}}schemaversion").text = "1.2"
    organisations = Xml.SubElement(root, f"{{{CP}}}organizations", {"default": "lesson"})
    organisation = Xml.SubElement(organisations, f"{{{CP}}}organization", {"identifier": "lesson"})
    Xml.SubElement(organisation, f"{{{CP}}}title").text = front.title
    item = Xml.SubElement(organisation, f"{{{CP}}}item", {"identifier": "item", "identifierref": "page"})
    Xml.SubElement(item, f"{{{CP}}}title").text = front.title
    resources = Xml.SubElement(root, f"{{{CP}}}resources")
    about = {"identifier": "page", "type": "webcontent", "href": FILES[0], f"{{{ADL}}}scormtype": "sco"}
    resource = Xml.SubElement(resources, f"{{{CP}}}resource", about)
    for name in FILES:
        Xml.SubElement(resource, f"{{{CP}}}file", {"href": name})
    return serialised(root)


def tin_can(lesson: Lesson) -> bytes:
    """``tincan.xml``: one activity that is launched at the page."""
    Xml.register_namespace("", TIN_CAN)
    front = lesson.front
    root = Xml.Element(f"{{{TIN_CAN}}}tincan")
    activities = Xml.SubElement(root, f"{{{TIN_CAN}}}activities")
    about = {"id": activity_id(lesson), "type": "http://adlnet.gov/expapi/activities/lesson"}
    activity = Xml.SubElement(activities, f"{{{TIN_CAN}}}activity", about)
    Xml.SubElement(activity, f"{{{TIN_CAN}}}name").text = front.title
    Xml.SubElement(activity, f"{{{TIN_CAN}}}description", {"lang": front.language}).text = " ".join(front.objectives)
    Xml.SubElement(activity, f"{{{TIN_CAN}}}launch", {"lang": front.language}).text = FILES[0]
    return serialised(root)


def serialised(root: Xml.Element) -> bytes:
    """A document's bytes, indented, the same each time."""
    Xml.indent(root)
    text: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def zipped(files: dict[str, bytes]) -> bytes:
    """A package's bytes, the same each time."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(zipfile.ZipInfo(name, STAMP), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def pages(lesson: Lesson, document: Document, country: str, xapi: bool) -> dict[str, bytes]:
    """The lesson's page and what it needs, by name."""
    page = _page(lesson, document, country, xapi).encode()
    return {"index.html": page, **{name: (STATIC / name).read_bytes() for name in FILES[1:]}}


def _page(lesson: Lesson, document: Document, country: str, xapi: bool) -> str:
    front, say = lesson.front, words(lesson.front.language)
    connect = "http: https:" if xapi else "'none'"
    policy = f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src {connect}; form-action 'none'"
    data: dict[str, Any] = {
        "title": front.title,
        "language": front.language,
        "activity": activity_id(lesson),
        "xapi": xapi,
        "questions": [each.id for each in front.questions],
        "answers": [each.answer for each in front.questions],
        "words": {key: say(key) for key in ("right", "not_yet", "your_score", "choose_one")},
    }
    # Nothing in it can end the element it stands in.
    embedded = msgspec.json.encode(data).decode().replace("<", "\\u003c")
    rules = [item for block in document.part("ground_rules").blocks for item in block.items]
    helps = "".join(
        f"<li><strong>{escape(' '.join((place.name, place.contact)).strip())}</strong><br>{escape(place.purpose)}"
        f"{f'<br>{escape(place.url)}' if place.url else ''}</li>"
        for place in places_of(tuple(front.help), country, front.language)
    )
    return f"""<!doctype html>
<html lang="{front.language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(front.title)}</title><link rel="stylesheet" href="lesson.css"></head>
<body>
<header><h1>{escape(front.title)}</h1><p>{escape(document.subtitle)}</p></header>
<main>
{_section(say("at_a_glance"), front.objectives)}
{_section(say("ground_rules"), rules)}
{_section(say("cards"), lesson.cards, ' class="cards"')}
<form id="check" novalidate><h2>{escape(say("check"))}</h2>
{_questions(lesson)}
<button>{escape(say("see_result"))}</button> <p id="result" class="said" role="status"></p></form>
<section><h2>{escape(say("help"))}</h2><ul>{helps}</ul></section>
</main>
<footer>{escape(document.small_print)}</footer>
<script type="application/json" id="data">{embedded}</script>
<script src="lesson.js"></script>
</body></html>
"""


def _section(title: str, items: tuple[str, ...] | list[str], more: str = "") -> str:
    listed = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<section><h2>{escape(title)}</h2><ul{more}>{listed}</ul></section>"


def _questions(lesson: Lesson) -> str:
    made = []
    for number, question in enumerate(lesson.front.questions):
        options = "".join(
            f'<label><input type="radio" name="q{number}" value="{value}">{escape(option)}</label>'
            for value, option in enumerate(question.options, 1)
        )
        legend = f"<legend>{number + 1}. {escape(question.ask)}</legend>"
        made.append(f'<fieldset>{legend}{options}<p id="said{number}" class="said" role="status"></p></fieldset>')
    return "\n".join(made)
