"""What several presets ask for together, by age band: always the strictest of them. Adding a preset never loosens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from upstander.model.vocabulary import AgeBand, AgeSource, Intervention
from upstander.policy.presets import Feature, Kind, Preset, Requirement, Row

#: The youngest age in whole years that a band holds. Nobody knows how young an ``unknown`` host is.
YOUNGEST: dict[AgeBand, int] = {
    AgeBand.UNDER_10: 0,
    AgeBand.FROM_10_TO_12: 10,
    AgeBand.FROM_13_TO_15: 13,
    AgeBand.FROM_16_TO_17: 16,
    AgeBand.ADULT: 18,
    AgeBand.UNKNOWN: 0,
}


class Hosting(msgspec.Struct, frozen=True):
    """Whether a host may broadcast, and why, in a sentence."""

    allowed: bool
    why: str


class BandRules(msgspec.Struct, frozen=True):
    """What holds for hosts of one age band.

    ``off``: features that are off by default; ``starting``: the interventions to ask for when a broadcast begins, by
    name, in a fixed order, and ``starting_from`` the rows that ask; ``capabilities``: what adapters must be able to
    do; ``preservation_days``: how long reported material is kept (0: no rule); ``minimum_host_age``: in years (0: no
    rule); ``age_sources``: the sources of age that suffice to host (empty and ``age_proof``: none does). ``age_from``
    and ``proof_from`` are the rows that decide.
    """

    off: frozenset[Feature] = frozenset()
    starting: tuple[str, ...] = ()
    starting_from: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()
    preservation_days: int = 0
    minimum_host_age: int = 0
    age_from: str = ""
    age_proof: bool = False
    age_sources: frozenset[AgeSource] = frozenset()
    proof_from: str = ""


class Effective(msgspec.Struct, frozen=True):
    """The strictest combination of some presets."""

    presets: tuple[str, ...]
    bands: Mapping[AgeBand, BandRules]
    #: SHA-256 (hexadecimal) of the presets' ids, versions and rows: names exactly these rules
    hash: str

    def of(self, band: AgeBand) -> BandRules:
        """What holds for hosts of a band."""
        return self.bands[band]

    def starting_interventions(self, band: AgeBand) -> list[Intervention]:
        """What to ask for when a broadcast of such a host begins. Those that this release does not know are left out:
        ``policy coverage`` reports them as missing."""
        return [Intervention(name) for name in self.bands[band].starting if name in set(Intervention)]

    def starting_from(self, band: AgeBand) -> str:
        """The rows that ask for something when a broadcast of such a host begins."""
        return ", ".join(self.bands[band].starting_from)

    def may_host(self, band: AgeBand, age_source: AgeSource) -> Hosting:
        """Whether a host of this band may broadcast, given where the band comes from."""
        rules = self.bands[band]
        if not rules.minimum_host_age:
            return Hosting(True, "no preset in force sets a minimum age for hosting")
        limit = f"the minimum age for hosting is {rules.minimum_host_age} ({rules.age_from})"
        if band is AgeBand.UNKNOWN:
            return Hosting(False, f"{limit}, and the host's age is not known")
        if YOUNGEST[band] < rules.minimum_host_age:
            return Hosting(False, f"{limit}, and the host's band is {band.replace('_', '-')}")
        if rules.age_proof and age_source not in rules.age_sources:
            enough = " or ".join(sorted(rules.age_sources)) or "no source"
            how = (
                f"an age that is {age_source} does not suffice"
                if age_source is not AgeSource.NONE
                else "it is unproven"
            )
            return Hosting(False, f"{limit}, and {how}: {enough} does ({rules.proof_from})")
        return Hosting(True, f"{limit}, and the host's band is {band.replace('_', '-')} ({age_source})")


def strictest(presets: Iterable[Preset]) -> Effective:
    """What these presets ask for together. No preset: no rules."""
    chosen = sorted(presets, key=lambda preset: preset.id)
    rows = [row for preset in chosen for row in preset.rows]
    essence = [(preset.id, preset.version, [msgspec.to_builtins(row) for row in preset.rows]) for preset in chosen]
    return Effective(
        tuple(preset.id for preset in chosen),
        {band: _rules(rows, band) for band in AgeBand},
        hashlib.sha256(msgspec.json.encode(essence)).hexdigest(),
    )


def _applies(row: Row, band: AgeBand) -> bool:
    """A host of unknown age may be a child: the rules for the oldest children hold for them at least."""
    return band in row.age_bands or (band is AgeBand.UNKNOWN and AgeBand.FROM_16_TO_17 in row.age_bands)


def _rules(rows: list[Row], band: AgeBand) -> BandRules:
    needs = [(row, need) for row in rows if _applies(row, band) for need in row.requires]
    # Who is too young is known only once everybody's age is: these two hold whatever bands their row names.
    ages = [(need.number, row.id) for row in rows for need in row.requires if need.kind is Kind.MINIMUM_HOST_AGE]
    proofs = [(row.id, need) for row in rows for need in row.requires if need.kind is Kind.AGE_SOURCES]
    age, age_from = max(ages, key=lambda found: found[0], default=(0, ""))
    starting = [(need.name, row.id) for row, need in needs if need.kind is Kind.INTERVENTION and need.default_on]
    days = [need.number for _, need in needs if need.kind is Kind.PRESERVATION_DAYS]
    return BandRules(
        off=frozenset(feature for _, need in needs if (feature := need.feature) is not None),
        starting=tuple(sorted({name for name, _ in starting})),
        starting_from=tuple(dict.fromkeys(row for _, row in starting)),
        capabilities=frozenset(need.name for _, need in needs if need.kind is Kind.CAPABILITY),
        preservation_days=max(days, default=0),
        minimum_host_age=age,
        age_from=age_from,
        age_proof=bool(proofs),
        age_sources=_sources_of([need for _, need in proofs]),
        proof_from=", ".join(name for name, _ in proofs),
    )


def _sources_of(needs: list[Requirement]) -> frozenset[AgeSource]:
    found = frozenset(AgeSource)
    for need in needs:
        found &= frozenset(need.sources)
    return found if needs else frozenset()
