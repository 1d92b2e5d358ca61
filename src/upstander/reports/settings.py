"""The settings of ``[reports]``, as types. Imported by ``upstander.settings``; imports nothing of this package."""

from __future__ import annotations

from typing import Annotated

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]
#: Why the numbers of ``[reports.nca]`` are settings: the text of the regulations could be read in part only.
NCA_SOURCE = "Online Safety Act 2023, s. 66; SI 2026/268 (in force on 2026-04-07)"


class ReporterSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who reports: the company and the person whom an investigator can ask. ``company_template``, ``terms_of_service``
    and ``legal_url`` are sent with every report to NCMEC: how legal process is served, how long data is kept."""

    company: str = ""
    service: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    address: str = ""
    city: str = ""
    country: Annotated[str, msgspec.Meta(pattern="^([A-Z]{2})?$")] = ""
    company_template: str = ""
    terms_of_service: str = ""
    legal_url: str = ""


class NcmecSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """NCMEC's CyberTipline. ``environment``: ``test`` or ``production``; ``url`` in place of both, for a fake.
    ``username`` and ``password_file`` (mode 600) are what NCMEC gave you. An unfinished report is deleted there
    ``opening_hours`` after it was opened or ``change_minutes`` after its last change: the earlier is reckoned with."""

    environment: Annotated[str, msgspec.Meta(pattern="^(test|production)$")] = "test"
    url: Annotated[str, msgspec.Meta(pattern="^(https?://.+)?$")] = ""
    username: str = ""
    password_file: str = ""
    timeout_s: Positive = 30
    opening_hours: Positive = 24
    change_minutes: Positive = 60
    hold_days: Positive = 365


class NcaSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The National Crime Agency, under section 66 of the Online Safety Act 2023 (SI 2026/268). Its interface is not
    public: a person enters the form at its portal. The text of the regulations could be read in part only:
    ``deadline_hours``, ``urgent_hours`` and ``hold_days`` are the operator's to set from it. ``organisation``: the
    registered one; ``authorised_person``: who may report. ``instead``: destinations whose report makes this one
    needless (content that was reported to a foreign agency is not unreported)."""

    organisation: str = ""
    authorised_person: str = ""
    uk_provider: bool = True
    deadline_hours: Positive = 72
    urgent_hours: Positive = 24
    hold_days: Positive = 365
    instead: tuple[str, ...] = ("ncmec",)


class ByHandSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A destination that a person hands the package to. ``media``: it asked for files, not only their hashes.
    ``deadline_hours``: by when it should be handed over; ``follow_up_hours``: after that, the answer is asked for."""

    media: bool = False
    deadline_hours: Positive = 24
    follow_up_hours: Positive = 48
    hold_days: Positive = 365


class ReportSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Reports. ``enabled``: the service sends what was filed and raises alarms. ``second_person``: somebody else than
    who drafted a report has to approve it. An approved report that is not filed within ``file_minutes`` raises an
    alarm, as does one that is not through ``late_minutes`` after it was filed; after ``attempts`` failures of its own
    it is given up, alarming. ``alarm_command`` (program and arguments) is run for each alarm, with one JSON line on its
    standard input that names no person. ``resubmit_unknown``: a report of which nobody knows whether it was opened is
    submitted again when the one that may be there has expired."""

    enabled: bool = False
    second_person: bool = True
    file_minutes: Positive = 60
    late_minutes: Positive = 30
    attempts: Positive = 8
    alarm_command: tuple[str, ...] = ()
    resubmit_unknown: bool = True
    reporter: ReporterSettings = ReporterSettings()
    ncmec: NcmecSettings = NcmecSettings()
    nca: NcaSettings = NcaSettings()
    iwf: ByHandSettings = ByHandSettings()
    inhope: ByHandSettings = ByHandSettings()
    ceop: ByHandSettings = ByHandSettings()
    police: ByHandSettings = ByHandSettings(media=True, deadline_hours=72)
    takedown: ByHandSettings = ByHandSettings(follow_up_hours=24)
