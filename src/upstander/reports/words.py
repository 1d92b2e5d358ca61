"""The words that destinations understand: their own terms, quoted as they are published. What XML can hold."""

from __future__ import annotations

import re

#: Our key -> the CyberTipline's type of incident. The terms are those of NCMEC and of 18 U.S.C.; they are not ours.
INCIDENTS: dict[str, str] = {
    "enticement": "Online Enticement of Children for Sexual Acts",
    "imagery": "Child Pornography (possession, manufacture, and distribution)",
    "trafficking": "Child Sex Trafficking",
    "tourism": "Child Sex Tourism",
    "molestation": "Child Sexual Molestation",
    "misleading_domain": "Misleading Domain Name",
    "misleading_words": "Misleading Words or Digital Images on the Internet",
    "obscene_to_child": "Unsolicited Obscene Material Sent to a Child",
}
#: Presence flags about the report, in the order of the schema. A person sets them.
REPORT_TAGS = (
    "sextortion", "csamSolicitation", "minorToMinorInteraction", "spam", "sadisticOnlineExploitation",
)  # fmt: skip
#: Presence flags about a file, in the order of the schema. A person sets them, but for ``liveStreaming``.
FILE_TAGS = (
    "animeDrawingVirtualHentai", "potentialMeme", "viral", "possibleSelfProduction", "physicalHarm", "violenceGore",
    "bestiality", "liveStreaming", "infant", "generativeAi",
)  # fmt: skip
#: The industry's classification of imagery, as a trained person coded it.
CATEGORIES = ("A1", "A2", "B1", "B2")
RELEVANCE = ("Reported", "Supplemental Reported")
IP_EVENTS = ("Login", "Registration", "Purchase", "Upload", "Other", "Unknown")
EMAIL_TYPES = ("Home", "Work", "Business", "Recovery")
PHONE_TYPES = ("Mobile", "Home", "Business", "Work", "Fax", "Internet", "Recovery")
ADDRESS_TYPES = ("Home", "Business", "Billing", "Shipping", "Technical")

#: The CyberTipline's response codes.
OK = 0
CODES: dict[int, str] = {
    0: "success",
    1000: "server error",
    1100: "save failed",
    1110: "upload failed",
    1111: "file upload failed",
    1210: "resource not found",
    1300: "update failed",
    2000: "authentication required",
    3000: "not authorised",
    3100: "not authorised to submit",
    3300: "not authorised to update",
    4000: "invalid request",
    4100: "validation failed",
    4110: "malformed XML",
    4200: "malformed file submittal",
    5001: "report does not exist",
    5002: "file does not exist",
    5101: "report already retracted",
    5102: "report already finished",
}

#: What XML 1.0 cannot hold.
_BAD = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Text that XML can hold: what it cannot is shown as U+FFFD."""
    return _BAD.sub("\ufffd", text)
