"""The words of a report: methods, limits, terms, and the names that readers see for fields and values."""

from __future__ import annotations

FIELDS = {
    "age_band": "age",
    "n_children": "number of children",
    "adult_visible": "adult visible",
    "capture_source": "made with",
    "media_type": "media",
    "original_location": "at the original location",
    "site_type": "kind of site",
    "host_country": "country of the server",
    "dedicated_forum": "on a dedicated forum",
    "domain_rank": "domains by rank",
    "removal": "found gone",
}
TERMS = (
    "This report speaks of captures of live-streamed abuse. A child who is seen in one is not responsible for it: "
    "whoever groomed, coerced, deceived, recorded or spread it is.",
    "Other sources call such captures “self-generated” or “youth-produced”. Where a source's own term has to be "
    "quoted it stands in quotation marks. It can suggest that the child chose what happened, and is not used here.",
    "“Alone” means that nobody else was seen in the room. It does not mean that nobody directed the child from "
    "elsewhere.",
)
METHODS = (
    "Unit. Every figure names what it counts and what its shares are of.",
    "Coding. Items were coded by people, by the codebook named above. Age is that of the youngest child, category "
    "the gravest act seen; category is recorded by trained assessors and never inferred. Items on which coders "
    "differ, and nothing is decided, are in no table.",
    "Intervals are 95%: Wilson's for shares (statsmodels), log-log Greenwood for removal curves (lifelines), the "
    "normal approximation for standardised shares, a bootstrap of items for alpha.",
    "Tests. Chi-square, or Fisher's exact test where a count below 5 is expected (for tables larger than 2 by 2 on "
    "9,999 drawn tables with the same margins); the effect is Cramér's V (scipy). No correction for the number of "
    "tests.",
    "Years are compared by direct standardisation to the mix of ages in all years together.",
    "Removal. Time runs from assessment to the day an item was first found gone; one still up when last seen is "
    "censored then; one that nobody looked at again is left out. Curves are Kaplan-Meier's, in whole "
    "hours, read at fixed days.",
    "Small counts. Counts from 1 to one below the threshold are withheld, with as many others as are needed: for "
    "every withheld small count there is another table that agrees with all that is published here and in which it "
    "is not small. Shares, tests and curves that would tell something about a withheld count are withheld too. "
    "Zeros are shown.",
)
LIMITS = (
    "Captures that a hotline meets are no random sample of captures, and captures are no sample of broadcasts or of "
    "children: none of these figures is a rate among children.",
    "Intervals say how far chance could move a figure if the items were a random sample. They say nothing about how "
    "items were found, and copies of one content make them too narrow.",
    "Ages are assessed by looking, not known.",
    "Withholding protects one report. Two reports on overlapping items (another unit, another date) can be compared "
    "with each other; publish one of them, or raise the threshold. It assumes a reader who knows the tables and the "
    "codebook's rules, not one who knows single items.",
)


def field_name(name: str) -> str:
    """How a reader sees a field."""
    return FIELDS.get(name, name.replace("_", " "))


def level_name(name: str) -> str:
    """How a reader sees a value."""
    return name.replace("_", " ").replace("-", "\N{EN DASH}") if name[:1].isdigit() else name.replace("_", " ")
