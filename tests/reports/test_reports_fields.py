"""Every field of every destination: there when its data is, absent when it is not; every XML keeps to the schema."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import msgspec
import pytest
from coverage_table import CONFIGURATIONS, SOURCES, TABLE
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from reports_support import FULL, REPORTER, T0, VICTIM, pieces_of

from upstander.cases.desk import Desk
from upstander.cases.model import Case, Found
from upstander.cases.store import Store
from upstander.model.vocabulary import AgeBand, Level
from upstander.reports import cybertip_xml, destinations, facts, schema, words
from upstander.reports.build import report_of
from upstander.reports.destinations.base import Need, document, empty, shown, stops
from upstander.reports.facts import Facts, FileFacts
from upstander.reports.model import (
    Account,
    Device,
    Email,
    Hash,
    IpEvent,
    Law,
    Phone,
    Place,
    Report,
    ReportError,
    Target,
)
from upstander.reports.settings import ReporterSettings
from upstander.reports.words import CATEGORIES, FILE_TAGS, INCIDENTS, IP_EVENTS, REPORT_TAGS

ALL_FACTS = msgspec.structs.replace(
    FULL,
    urgent="the child is alone",
    described="the start",
    annotations=("sextortion",),
    reported=msgspec.structs.replace(
        FULL.reported, display_names=("Q",), profile_urls=("https://live.example/q",), bio="hi", group="g",
        compromised=False, third_party=True, disabled_at=T0, devices=(Device("IMEI", "1", T0, "Login"),),
    ),
    victim=msgspec.structs.replace(VICTIM, screen_name="ada", school="Hill School"),
    recipients=(Account("w", first_name="W"),),
    files=(
        FileFacts(
            "chat", True, "", "log.txt", "https://live.example/l", T0, ("liveStreaming", "viral"), "B2", "pat",
            (Hash("PDQ", "f" * 64),), IpEvent("2001:db8::7", T0, "Upload", 1), "more",
        ),
    ),
    note="seen twice",
)  # fmt: skip


def case_of(tmp: Any, viewer: str = "v1", level: Level = Level.URGENT) -> Case:
    desk = Desk(Store(tmp / "cases.sqlite3"))
    found = Found("mysite", "b1", viewer, "c1", 1, T0, level, ("supervision_probe",), 5.0, "h1", AgeBand.UNDER_10)
    try:
        return desk.decide(found, now=T0)
    finally:
        desk.store.close()


def configured(tmp: Any, name: str, destination: str) -> Report:
    case = case_of(tmp, "" if name == "broadcast" else "v1", Level.EMERGENCY if name == "emergency" else Level.URGENT)
    pieces = pieces_of(gifts=name in ("gifts", "full"), viewed=name == "full")
    more = {"terms_of_service": "be kind", "legal_url": "https://example.org/law"}
    reporter = ReporterSettings() if name == "nobody" else msgspec.structs.replace(REPORTER, **more)
    report = report_of("r-1", destination, case, pieces, ALL_FACTS if name == "full" else Facts(), reporter, T0 + 1)
    return msgspec.structs.replace(report, prior=(4_000_001,)) if name == "full" else report


def documents(report: Report) -> tuple[ET.Element, list[ET.Element]]:
    files = [cybertip_xml.file_xml(file, "1", "1") for file in report.files]
    return ET.fromstring(cybertip_xml.report_xml(report)), [ET.fromstring(each) for each in files]


def found_in_xml(report: Report) -> set[str]:
    """Fields of the CyberTipline's table that are elements of what is sent."""
    root, files = documents(report)
    there = set()
    for field in destinations.named("ncmec").fields:
        inside = field.name.startswith("fileDetails/")
        places = files if inside else [root]
        if any(each.find(field.name.removeprefix("fileDetails/")) is not None for each in places):
            there.add(field.name)
    return there


def test_the_table_has_every_field_and_no_other() -> None:
    assert {name: list(table) for name, table in TABLE.items()} == {
        name: [field.name for field in each.fields] for name, each in destinations.ALL.items()
    }


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("destination", list(TABLE))
def test_every_field_is_there_or_absent_as_the_table_says(tmp_path: Any, destination: str, configuration: str) -> None:
    report = configured(tmp_path, configuration, destination)
    expected = {field for field, source in TABLE[destination].items() if configuration in SOURCES[source].split()}
    where = destinations.named(destination)
    assert set(document(where, report)) == expected
    if destination == "ncmec":
        assert found_in_xml(report) == expected
    lines = {each.name: each for each in shown(where, report)}
    assert {name for name, line in lines.items() if line.value} == expected
    lacking = {name for name, line in lines.items() if line.missing}
    required = {f.name for f in where.fields if f.need is Need.REQUIRED} - expected
    assert required <= lacking
    assert all(any(f"`{name}`" in stop for stop in stops(where, report)) for name in required)


@pytest.mark.parametrize("destination", list(TABLE))
def test_every_field_says_what_it_is_and_why_it_matters(destination: str) -> None:
    for field in destinations.named(destination).fields:
        assert len(field.what) >= 4 and len(field.why) >= 15 and field.why.endswith("."), field.name


@pytest.mark.parametrize("destination", ["iwf", "inhope", "takedown"])
def test_what_needs_nobodys_name_gets_none(tmp_path: Any, destination: str) -> None:
    text = str(document(destinations.named(destination), configured(tmp_path, "full", destination)))
    for word in ("zz_quillcanary", "Canaryson", "Canarychild", "203.0.113", "v1", "h1", "Hill School"):
        assert word not in text


# -- any case ----------------------------------------------------------------------------------------------------

TEXT = st.text(max_size=40)
WORD = st.text(min_size=1, max_size=12).filter(lambda text: bool(words.clean(text).strip()))
AT = st.integers(0, 4_000_000_000_000)
MAYBE = st.none() | st.booleans()
IPS = st.builds(
    IpEvent, address=st.ip_addresses().map(str), at=AT, event=st.sampled_from(IP_EVENTS), port=st.integers(0, 65_535),
    proxy=MAYBE,
)  # fmt: skip
DEVICES = st.builds(Device, kind=WORD, value=WORD, at=AT, event=st.sampled_from(("", *IP_EVENTS)))
PLACES = st.builds(Place, city=TEXT, region=TEXT, country=st.sampled_from(("", "GB", "US")), at=AT)


def few(strategy: Any) -> Any:
    return st.lists(strategy, max_size=2).map(tuple)


ACCOUNTS = st.builds(
    Account, identifier=st.text(max_size=300), service=TEXT, screen_name=TEXT, display_names=few(TEXT),
    profile_urls=few(TEXT), bio=TEXT, first_name=TEXT, last_name=TEXT, age=st.none() | st.integers(0, 150),
    emails=few(st.builds(Email, address=TEXT, verified=MAYBE, verified_at=AT)), age_band=st.just(""),
    phones=few(st.builds(Phone, number=TEXT, verified=MAYBE)), ips=few(IPS), devices=few(DEVICES),
    place=st.none() | PLACES, school=TEXT, group=TEXT, compromised=MAYBE, third_party=MAYBE, disabled_at=AT,
    additional=TEXT,
)  # fmt: skip
FILES = st.builds(
    FileFacts, item=st.sampled_from(("chat", "frames", "decision")), public=MAYBE, original_name=TEXT, location=TEXT,
    uploaded_at=AT, annotations=few(st.sampled_from(FILE_TAGS)), category=st.sampled_from(("", *CATEGORIES)),
    coded_by=WORD, hashes=few(st.builds(Hash, kind=st.sampled_from(("PDQ", "SHA1")), value=st.just("ab12"))),
    ip=st.none() | IPS, additional=TEXT,
)  # fmt: skip
FACTS = st.builds(
    Facts, incident=st.sampled_from(list(INCIDENTS)), urgent=TEXT, described=TEXT, urls=few(TEXT), note=TEXT,
    annotations=few(st.sampled_from(REPORT_TAGS)), reported=ACCOUNTS, victim=ACCOUNTS, recipients=few(ACCOUNTS),
    law=st.none() | st.builds(
        Law, agency=TEXT, case_number=TEXT, officer_first=TEXT, officer_last=TEXT, officer_email=TEXT, reported=MAYBE
    ),
    target=st.none() | st.builds(Target, host=TEXT, contact=TEXT, urls=few(TEXT)), files=few(FILES),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("cases")


CASE = st.fixed_dictionaries(
    {"platform": WORD, "broadcast": TEXT, "viewer": TEXT, "host": TEXT, "level": st.sampled_from((3, 4)),
     "band": st.sampled_from(AgeBand)}
)  # fmt: skip
_BLANK = Case(
    id="0123456789abcdef", platform="", broadcast="", viewer="", host="", event="c1", salt="", subject="",
    band=AgeBand.UNKNOWN, state="claimed", level=3, tactics=("secrecy",), belief=5.0, opened_at=T0, updated_at=T0,  # type: ignore[arg-type]
    version=1, decisions=1, sealed_to=1,
)  # fmt: skip


@settings(max_examples=120, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink))
@given(known=FACTS, case=CASE, gifts=st.booleans(), text=TEXT, reporter=st.builds(
    ReporterSettings, company=TEXT, service=TEXT, first_name=TEXT, last_name=TEXT, email=TEXT, phone=TEXT, address=TEXT,
    city=TEXT, country=st.sampled_from(("", "GB")), company_template=TEXT, terms_of_service=TEXT, legal_url=TEXT,
))  # fmt: skip
def test_for_any_case_every_xml_keeps_to_the_schema_and_has_what_there_is(
    known: Facts, case: dict[str, Any], gifts: bool, text: str, reporter: ReporterSettings
) -> None:
    facts.check(known)
    pieces = pieces_of(gifts, text=text)
    report = report_of("r-1", "ncmec", msgspec.structs.replace(_BLANK, **case), pieces, known, reporter, T0 + 1)
    sent = [cybertip_xml.report_xml(report), *(cybertip_xml.file_xml(file, "1", "a") for file in report.files)]
    for each in sent:
        assert schema.bundled().faults(each) == []
    there = {f.name for f in destinations.named("ncmec").fields if not empty(f.of(report))}
    assert found_in_xml(report) == there
    for where in destinations.ALL.values():
        told = msgspec.json.encode(document(where, report))
        assert set(msgspec.json.decode(told)) == {field.name for field in where.fields if not empty(field.of(report))}


def test_children_out_of_order_are_found(tmp_path: Any) -> None:
    """The check can fail: the schema's order is part of it."""
    data = cybertip_xml.report_xml(configured(tmp_path, "full", "ncmec"))
    assert schema.bundled().faults(data) == []
    moved = re.sub(
        rb"(<incidentType>.*?</incidentType>)(.*?)(</incidentSummary>)", rb"\2\1\3", data, count=1, flags=re.S
    )
    assert schema.bundled().faults(moved)
    assert schema.bundled().faults(data.replace(b"A1", b"A3").replace(b"<port>50123", b"<port>99999"))
    assert schema.bundled().faults(b"<!DOCTYPE report [<!ENTITY a 'b'>]>" + data.partition(b"?>")[2])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"{", "truncated"),
        (b'{"incident": "nothing"}', "enticement"),
        (b'{"reported": {"ips": [{"address": "somewhere"}]}}', "no IPv4"),
        (b'{"reported": {"ips": [{"address": "1.2.3.4", "port": 70000}]}}', "65,535"),
        (b'{"files": [{"item": "chat", "category": "A1"}]}', "coded_by"),
        (b'{"unheard": 1}', "unheard"),
        (b'{"reported": {"disabled_at": -5}}', "epoch milliseconds"),
    ],
)
def test_facts_that_cannot_be_used_are_refused_with_reason_and_fix(given: bytes, said: str) -> None:
    with pytest.raises(ReportError, match=said):
        facts.read(given)


def test_an_item_that_is_not_there_is_named(tmp_path: Any) -> None:
    with pytest.raises(ReportError, match="video"):
        report_of("r", "ncmec", case_of(tmp_path), pieces_of(), Facts(files=(FileFacts("video"),)), REPORTER, T0)
