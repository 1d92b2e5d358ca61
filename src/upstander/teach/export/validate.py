"""Checks what goes to schools: SCORM 1.2 and xAPI packages, DOCX, PPTX and PDF. Trusts nothing of what it opens."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath

from lxml import etree  # type: ignore[import-untyped]

from upstander.teach.export.cartridge import CC, QTI, QUIZ_TYPE
from upstander.teach.export.package import ADL, CP, TIN_CAN

#: A package larger than this, unpacked, is not looked at (bytes).
MOST_BYTES = 200 * 1024 * 1024
XSDS = ("imscp_rootv1p1p2.xsd", "adlcp_rootv1p2.xsd", "imsmd_rootv1p2p1.xsd", "ims_xml.xsd")
_EXTERNAL = re.compile(r"""(?:src|href|action|data)\s*=\s*["']?\s*(?:https?:)?//""", re.I)


def faults_of(data: bytes, schemas: Path | None = None) -> list[str]:
    """What is wrong with a file, one line each. ``schemas``: a folder with SCORM's XSDs, to check the manifest with."""
    if data.startswith(b"%PDF-"):
        return [] if b"%%EOF" in data[-1024:] else ["the PDF breaks off. Make it again."]
    try:
        with zipfile.ZipFile(BytesIO(data)) as opened:
            return list(_package(opened, schemas))
    except zipfile.BadZipFile as error:
        return [f"neither a PDF nor a zip file ({error}). Was the download complete?"]


def _package(opened: zipfile.ZipFile, schemas: Path | None) -> Iterator[str]:
    names = opened.namelist()
    if sum(info.file_size for info in opened.infolist()) > MOST_BYTES:
        yield f"larger than {MOST_BYTES:,} bytes when unpacked."
        return
    if broken := opened.testzip():
        yield f"{broken}: the file in the package is damaged."
        return
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            yield f"{name!r} would be unpacked outside the folder."
    if len(set(names)) < len(names):
        yield "a name comes twice."
    if "imsmanifest.xml" in names:
        root = _parsed(opened, "imsmanifest.xml")
        if isinstance(root, str):
            yield root
        elif root.tag == f"{{{CC}}}manifest":
            yield from _cartridge(opened, names, root)
        else:
            yield from _scorm(root, names, schemas)
    elif "tincan.xml" in names:
        yield from _tin_can(opened, names)
    elif "word/document.xml" in names or "ppt/presentation.xml" in names:
        yield from _office(opened, names)
        return
    else:
        yield "no imsmanifest.xml, no tincan.xml and no Office document. They stand at the top of the package."
        return
    yield from _pages(opened, names)


def _parsed(opened: zipfile.ZipFile, name: str) -> etree._Element | str:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(opened.read(name), parser)
    except etree.XMLSyntaxError as error:
        return f"{name}: not well-formed ({error})."


def _scorm(root: etree._Element, names: list[str], schemas: Path | None) -> Iterator[str]:
    ns = {"c": CP}
    if root.tag != f"{{{CP}}}manifest":
        yield f"imsmanifest.xml: the root is {root.tag}, not a SCORM 1.2 manifest."
        return
    if root.findtext("c:metadata/c:schemaversion", namespaces=ns) != "1.2":
        yield "imsmanifest.xml: `schemaversion` is not 1.2."
    organisations = {each.get("identifier") for each in root.iterfind("c:organizations/c:organization", ns)}
    parent = root.find("c:organizations", ns)
    if parent is None or not organisations:
        yield "imsmanifest.xml: no organisation, so there is nothing to launch."
    elif parent.get("default") not in organisations:
        yield f"imsmanifest.xml: the default organisation {parent.get('default')!r} is none."
    resources = {str(each.get("identifier")): each for each in root.iterfind("c:resources/c:resource", ns)}
    for item in root.iterfind(".//c:item", ns):
        if item.get("identifierref") not in resources:
            yield f"imsmanifest.xml: item {item.get('identifier')!r} names a resource that is not there."
    listed: set[str] = {"imsmanifest.xml"}
    for identifier, resource in resources.items():
        if resource.get(f"{{{ADL}}}scormtype") not in ("sco", "asset"):
            yield f"imsmanifest.xml: resource {identifier!r} has no adlcp:scormtype of sco or asset."
        files = {str(each.get("href")) for each in resource.iterfind("c:file", ns)}
        if resource.get("href") not in files:
            yield f"imsmanifest.xml: resource {identifier!r} is launched at a file that it does not list."
        listed |= files
    yield from _listed(listed, names)
    if schemas is not None:
        yield from _by_schema(root, schemas)


def _listed(listed: set[str], names: list[str]) -> Iterator[str]:
    """What a manifest lists must be there, and the other way round."""
    yield from (f"imsmanifest.xml lists {name!r}, which is not in the package." for name in sorted(listed - set(names)))
    unlisted = sorted(name for name in set(names) - listed if not name.endswith((".xsd", "/")))
    yield from (f"{name!r} is in the package and not in imsmanifest.xml." for name in unlisted)


def _cartridge(opened: zipfile.ZipFile, names: list[str], root: etree._Element) -> Iterator[str]:
    ns = {"c": CC}
    if not (root.findtext("c:metadata/c:schemaversion", namespaces=ns) or "").startswith("1."):
        yield "imsmanifest.xml: `schemaversion` is not that of a Common Cartridge 1.x."
    if root.find("c:organizations/c:organization/c:item/c:item", ns) is None:
        yield "imsmanifest.xml: no item, so there is nothing to show."
    resources = {str(each.get("identifier")): each for each in root.iterfind("c:resources/c:resource", ns)}
    for item in root.iterfind(".//c:item[@identifierref]", ns):
        if item.get("identifierref") not in resources:
            yield f"imsmanifest.xml: item {item.get('identifier')!r} names a resource that is not there."
    listed: set[str] = {"imsmanifest.xml"}
    for identifier, resource in resources.items():
        files = {str(each.get("href")) for each in resource.iterfind("c:file", ns)}
        listed |= files
        if resource.get("type") == QUIZ_TYPE:
            for name in sorted(files & set(names)):
                yield from _quiz(opened, name)
        elif resource.get("href") not in files:
            yield f"imsmanifest.xml: resource {identifier!r} is opened at a file that it does not list."
    yield from _listed(listed, names)


def _quiz(opened: zipfile.ZipFile, name: str) -> Iterator[str]:
    root = _parsed(opened, name)
    if isinstance(root, str):
        yield root
        return
    ns = {"q": QTI}
    items = root.findall(".//q:item", ns)
    if not items:
        yield f"{name}: no question."
    for item in items:
        choices = {each.get("ident") for each in item.iterfind(".//q:response_label", ns)}
        right = [each.text for each in item.iterfind(".//q:varequal", ns)]
        if len(right) != 1 or right[0] not in choices:
            yield f"{name}: question {item.get('ident')!r} has no one right answer among its choices."


def _by_schema(root: etree._Element, schemas: Path) -> Iterator[str]:
    if missing := [name for name in XSDS if not (schemas / name).is_file()]:
        yield f"{schemas}: {', '.join(missing)} is missing. SCORM 1.2 has four schemas; all must lie there."
        return
    # One schema that brings both namespaces in: the manifest's own does not know ADL's attributes.
    both = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
    <xs:import namespace="{CP}" schemaLocation="{(schemas / "imscp_rootv1p1p2.xsd").resolve().as_uri()}"/>
    <xs:import namespace="{ADL}" schemaLocation="{(schemas / "adlcp_rootv1p2.xsd").resolve().as_uri()}"/></xs:schema>"""
    try:
        schema = etree.XMLSchema(etree.fromstring(both.encode()))
    except etree.XMLSchemaParseError as error:
        yield f"{schemas}: the schemas cannot be read ({error}). Take SCORM 1.2's own."
        return
    if not schema.validate(root):
        yield from (f"imsmanifest.xml, line {each.line}: {each.message}" for each in schema.error_log)


def _tin_can(opened: zipfile.ZipFile, names: list[str]) -> Iterator[str]:
    root = _parsed(opened, "tincan.xml")
    if isinstance(root, str):
        yield root
        return
    launches = [str(each.text) for each in root.iterfind(f".//{{{TIN_CAN}}}launch")]
    if not launches:
        yield "tincan.xml: nothing is launched."
    yield from (f"tincan.xml launches {name!r}, which is not in the package." for name in launches if name not in names)
    for activity in root.iterfind(f".//{{{TIN_CAN}}}activity"):
        if ":" not in activity.get("id", ""):
            yield f"tincan.xml: the activity id {activity.get('id')!r} is no IRI."


def _office(opened: zipfile.ZipFile, names: list[str]) -> Iterator[str]:
    for name in names:
        if name.endswith((".xml", ".rels")):
            root = _parsed(opened, name)
            if isinstance(root, str):
                yield root
            elif name.endswith(".rels"):
                for link in root:
                    if link.get("TargetMode") == "External" and not link.get("Type", "").endswith("/hyperlink"):
                        yield f"{name}: loads {link.get('Target')!r} from elsewhere."


def _pages(opened: zipfile.ZipFile, names: list[str]) -> Iterator[str]:
    for name in names:
        if not name.endswith((".html", ".htm", ".css")):
            continue
        text = opened.read(name).decode("utf-8", "replace")
        if found := _EXTERNAL.search(text) or re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", text, re.I):
            yield f"{name}: {found[0]!r} loads something from elsewhere. A lesson has to work offline."
