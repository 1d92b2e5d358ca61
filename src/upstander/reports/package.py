"""What is handed over by hand: the fields as JSON, a form to read and copy from, and what the destination asks for."""

from __future__ import annotations

import io
import zipfile
from importlib.resources import files

import jinja2
import msgspec

from upstander.reports import cybertip_xml
from upstander.reports.destinations.base import Destination, document, shown
from upstander.reports.model import Report
from upstander.reports.settings import ReportSettings

FORMAT = "upstander-report-1"
EVIDENCE = "evidence.zip"


def contents(destination: Destination, report: Report) -> dict[str, bytes]:
    """The files of a package, without evidence: ``report.json``, ``form.html``, and those of the destination's own."""
    value = {
        "format": FORMAT,
        "destination": destination.name,
        "reference": report.id,
        "made_at": cybertip_xml.moment(report.at),
        "fields": document(destination, report),
    }
    made = {"report.json": msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"}
    made["form.html"] = form(destination, report)
    if destination.name == "ncmec":
        made["report.xml"] = cybertip_xml.report_xml(report)
        for number, file in enumerate(report.files, 1):
            made[f"fileDetails-{number:02}.xml"] = cybertip_xml.file_xml(file, "0", "0")
    return made | destination.own(report)


def form(destination: Destination, report: Report) -> bytes:
    """The fields as a page: in the order of the destination's form, each to be copied, what is missing marked."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string((files("upstander.reports") / "form.html.j2").read_text("utf-8"))
    text = template.render(destination=destination, report=report, fields=shown(destination, report))
    return text.encode()


def wants_evidence(destination: Destination, settings: ReportSettings) -> bool:
    """Whether the vault's package goes along: the destination is told who is reported, and takes files."""
    return destination.persons and destination.media(settings)


def pack(made: dict[str, bytes]) -> bytes:
    """The files as one ZIP; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(made):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o600 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, made[name])
    return buffer.getvalue()
