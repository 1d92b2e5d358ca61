"""A lesson as an IMS Common Cartridge 1.1: its page and its exit check as a quiz that a school's platform takes over.

Not tried in a real platform: the cartridge follows the published profile (https://www.imsglobal.org/cc/index.html).
"""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from upstander.teach.document import Document
from upstander.teach.export.package import pages, serialised, zipped
from upstander.teach.lessons import Lesson, Question
from upstander.teach.words import words

CC = "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"
LOM = "http://ltsc.ieee.org/xsd/imsccv1p1/LOM/manifest"
QTI = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
QUIZ_TYPE = "imsqti_xmlv1p2/imscc_xmlv1p1/assessment"
QUIZ = "quiz/assessment.xml"


def as_cartridge(lesson: Lesson, document: Document, country: str) -> bytes:
    """A Common Cartridge with the page (it tells no score to anybody) and, as QTI 1.2, the exit check."""
    shown = {f"lesson/{name}": data for name, data in pages(lesson, document, country, xapi=False).items()}
    quiz = {QUIZ: assessment(lesson)} if lesson.front.questions else {}
    return zipped({"imsmanifest.xml": manifest(lesson, sorted(shown), bool(quiz)), **shown, **quiz})


def manifest(lesson: Lesson, files: list[str], quiz: bool) -> bytes:
    """``imsmanifest.xml``: one folder with the page and, where there is one, the quiz."""
    for prefix, uri in (("", CC), ("lomimscc", LOM)):
        Xml.register_namespace(prefix, uri)
    front, say = lesson.front, words(lesson.front.language)
    root = Xml.Element(f"{{{CC}}}manifest", {"identifier": f"upstander-{front.language}-{front.id}"})
    about = Xml.SubElement(root, f"{{{CC}}}metadata")
    Xml.SubElement(about, f"{{{CC}}}schema").text = "IMS Common Cartridge"
    Xml.SubElement(about, f"{{{CC}}}schemaversion").text = "1.1.0"
    general = Xml.SubElement(Xml.SubElement(about, f"{{{LOM}}}lom"), f"{{{LOM}}}general")
    for name, text in (("title", front.title), ("description", " ".join(front.objectives))):
        described = Xml.SubElement(general, f"{{{LOM}}}{name}")
        Xml.SubElement(described, f"{{{LOM}}}string", {"language": front.language}).text = text
    organisations = Xml.SubElement(root, f"{{{CC}}}organizations")
    tree = {"identifier": "lesson", "structure": "rooted-hierarchy"}
    folder = Xml.SubElement(Xml.SubElement(organisations, f"{{{CC}}}organization", tree), f"{{{CC}}}item")
    folder.set("identifier", "root")
    resources = Xml.SubElement(root, f"{{{CC}}}resources")
    parts = [("page", front.title, {"type": "webcontent", "href": "lesson/index.html"}, files)]
    if quiz:
        parts.append(("quiz", say("check"), {"type": QUIZ_TYPE}, [QUIZ]))
    for name, title, kind, listed in parts:
        item = Xml.SubElement(folder, f"{{{CC}}}item", {"identifier": f"item-{name}", "identifierref": name})
        Xml.SubElement(item, f"{{{CC}}}title").text = title
        resource = Xml.SubElement(resources, f"{{{CC}}}resource", {"identifier": name, **kind})
        for file in listed:
            Xml.SubElement(resource, f"{{{CC}}}file", {"href": file})
    return serialised(root)


def assessment(lesson: Lesson) -> bytes:
    """The exit check as QTI 1.2, in the cartridge's profile: one choice a question, each worth the same."""
    Xml.register_namespace("", QTI)
    front = lesson.front
    root = Xml.Element(f"{{{QTI}}}questestinterop")
    title = f"{front.title}: {words(front.language)('check')}"
    made = Xml.SubElement(root, f"{{{QTI}}}assessment", {"ident": f"{front.language}-{front.id}", "title": title})
    _metadata(made, {"cc_profile": "cc.exam.v0p1", "qmd_assessmenttype": "Examination", "cc_maxattempts": "unlimited"})
    section = Xml.SubElement(made, f"{{{QTI}}}section", {"ident": "root_section"})
    for question in front.questions:
        _item(section, question)
    return serialised(root)


def _metadata(parent: Xml.Element, fields: dict[str, str]) -> None:
    listed = Xml.SubElement(parent, f"{{{QTI}}}qtimetadata")
    for label, entry in fields.items():
        field = Xml.SubElement(listed, f"{{{QTI}}}qtimetadatafield")
        Xml.SubElement(field, f"{{{QTI}}}fieldlabel").text = label
        Xml.SubElement(field, f"{{{QTI}}}fieldentry").text = entry


def _item(section: Xml.Element, question: Question) -> None:
    item = Xml.SubElement(section, f"{{{QTI}}}item", {"ident": question.id})
    _metadata(Xml.SubElement(item, f"{{{QTI}}}itemmetadata"), {"cc_profile": "cc.multiple_choice.v0p1"})
    shown = Xml.SubElement(item, f"{{{QTI}}}presentation")
    _said(shown, question.ask)
    response = Xml.SubElement(shown, f"{{{QTI}}}response_lid", {"ident": "answer", "rcardinality": "Single"})
    choices = Xml.SubElement(response, f"{{{QTI}}}render_choice")
    for number, option in enumerate(question.options, 1):
        _said(Xml.SubElement(choices, f"{{{QTI}}}response_label", {"ident": f"option{number}"}), option)
    processing = Xml.SubElement(item, f"{{{QTI}}}resprocessing")
    score = {"varname": "SCORE", "vartype": "Decimal", "minvalue": "0", "maxvalue": "100"}
    Xml.SubElement(Xml.SubElement(processing, f"{{{QTI}}}outcomes"), f"{{{QTI}}}decvar", score)
    condition = Xml.SubElement(processing, f"{{{QTI}}}respcondition", {"continue": "No"})
    right = Xml.SubElement(Xml.SubElement(condition, f"{{{QTI}}}conditionvar"), f"{{{QTI}}}varequal")
    right.set("respident", "answer")
    right.text = f"option{question.answer}"
    Xml.SubElement(condition, f"{{{QTI}}}setvar", {"varname": "SCORE", "action": "Set"}).text = "100"


def _said(parent: Xml.Element, text: str) -> None:
    material = Xml.SubElement(parent, f"{{{QTI}}}material")
    Xml.SubElement(material, f"{{{QTI}}}mattext", {"texttype": "text/plain"}).text = text
