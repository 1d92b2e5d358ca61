"""Recomputes published figures and says of each: agrees, inconsistent, or not derivable, with the counts that its
percentage allows."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from upstander.study.published import Derived, Figure, Publication, Verdict
from upstander.study.rounding import base_range, count_range, printed
from upstander.study.synthetic import NOTICE, Records, base_count, consistent

LIMITS = (
    NOTICE,
    '"Agrees" means that some count prints as the percentage (and is the printed count, where there is one). It does '
    "not mean that the figure is right.",
    "Figures were transcribed second-hand: see each study's source, review date and what was left out.",
)


class Row(msgspec.Struct, frozen=True):
    """One line of the table. ``printed`` and ``recomputed`` are percentages as text; counts are units of the study.

    ``low`` to ``high``: the counts that print as the percentage; for a figure that follows from others (``derived``),
    the counts that are possible. ``expected`` is false when the verdict is not the one a review has recorded.
    """

    study: str
    figure: str
    says: str
    base: str
    base_count: int | None
    printed: str | None
    count: int | None
    recomputed: str | None
    low: int | None
    high: int | None
    verdict: Verdict | None
    why: str = ""
    expected: bool = True
    secondary: bool = False
    derived: bool = False


class Reproduction(msgspec.Struct, frozen=True):
    """All rows of some studies, with what was left out and the limits."""

    rows: tuple[Row, ...]
    left_out: dict[str, tuple[str, ...]]
    sources: dict[str, str]
    limits: tuple[str, ...] = LIMITS

    @property
    def totals(self) -> dict[str, int]:
        """How many figures have each verdict; figures that only follow from others are not counted."""
        found = [row.verdict for row in self.rows if row.verdict]
        return {verdict: found.count(verdict) for verdict in ("agrees", "inconsistent", "not derivable")}

    @property
    def unexpected(self) -> tuple[Row, ...]:
        """Rows whose verdict differs from the recorded one."""
        return tuple(row for row in self.rows if not row.expected)


def reproduce(publications: Iterable[Publication]) -> Reproduction:
    """Recompute every figure of these studies. Raises ``StudyError`` for a file whose bases cannot be built."""
    rows: list[Row] = []
    left_out, sources = {}, {}
    for publication in publications:
        records = Records(publication)
        rows += [_row(publication, records, figure) for figure in publication.figures]
        rows += [_derived(publication, one) for one in publication.derived]
        left_out[publication.id] = publication.left_out
        sources[publication.id] = (
            f"{publication.publisher}: {publication.title} ({publication.published}). {publication.transcribed} "
            f"Reviewed {publication.reviewed_on}, review by {publication.review_by}."
        )
    return Reproduction(tuple(rows), left_out, sources)


def _row(publication: Publication, records: Records, figure: Figure) -> Row:
    base = base_count(publication, figure.base) if figure.base else None
    span = consistent(publication, figure) if base is not None else None
    verdict, recomputed, why = _judge(publication, records, figure)
    if figure.crosses:
        span = _overlap(publication, figure)
    if figure.note and verdict != "not derivable":
        why = f"{why}; {figure.note}" if why else figure.note
    return Row(
        study=publication.id,
        figure=figure.id,
        says=figure.says,
        base=publication.bases[figure.base].label if figure.base else "",
        base_count=base,
        printed=figure.percent,
        count=figure.count,
        recomputed=recomputed,
        low=span[0] if span else None,
        high=span[1] if span else None,
        verdict=verdict,
        why=why,
        expected=verdict == figure.known,
        secondary=figure.secondary,
    )


def _judge(publication: Publication, records: Records, figure: Figure) -> tuple[Verdict, str | None, str]:
    """The verdict, the recomputed percentage, and the reason for anything but "agrees"."""
    if figure.missing:
        bounds = "; only its bounds follow from the marginals" if _overlap(publication, figure) else ""
        return "not derivable", None, figure.missing + bounds
    base = base_count(publication, figure.base) if figure.base else None
    if base is None:
        return "not derivable", None, "the base of this figure is not printed"
    if figure.percent is None and figure.count is not None:
        return _judge_count(records, figure, figure.count, base)
    if figure.percent is None:
        return "not derivable", None, "neither a count nor a percentage is printed"
    low, high = count_range(figure.percent, base)
    if figure.count is not None and not low <= figure.count <= high:
        return "inconsistent", printed(figure.count, base, figure.percent + ".0"), _contradiction(figure, base)
    if low > high:
        return "inconsistent", None, f"no count out of {base:,} prints as {figure.percent}%"
    if figure.variable in records.contradictions:
        return "inconsistent", None, f"no counts fit all figures on {figure.variable!r} together"
    if figure.variable is None:
        shown = printed(figure.count, base, figure.percent) if figure.count is not None else None
        return ("agrees", shown, "") if shown else ("not derivable", None, "no records can be fitted: it has no levels")
    count, size = records.count(figure)
    if size != base:
        return "inconsistent", None, f"the figures that make its base leave {size:,} units, not {base:,}"
    fits = low <= count <= high and figure.count in {None, count}
    return "agrees" if fits else "inconsistent", printed(count, size, figure.percent), ""


def _judge_count(records: Records, figure: Figure, count: int, base: int) -> tuple[Verdict, str | None, str]:
    found = records.count(figure)[0] if figure.variable not in records.contradictions else None
    if found == count:
        return "agrees", None, "the size of the study" if figure.variable is None else ""
    return "inconsistent", None, f"{count:,} is printed, {found} of {base:,} records were found"


def _contradiction(figure: Figure, base: int) -> str:
    """What is wrong with a count and a percentage that do not fit, and which other base would make them fit."""
    percent, count = figure.percent or "", figure.count or 0
    exact = f"{count:,} of {base:,} is {printed(count, base, percent + ('0' if '.' in percent else '.0'))}%"
    other = base_range(percent, count)
    bases = f"; {percent}% would need a base of {other[0]:,} to {other[1]:,}" if other else ""
    return f"{exact}, not {percent}%{bases}"


def _overlap(publication: Publication, figure: Figure) -> tuple[int, int] | None:
    """How many units two figures of one base can have in common, at least and at most (Fréchet's bounds)."""
    if len(figure.crosses) != 2:
        return None
    first, second = (publication.figure(name) for name in figure.crosses)
    spans = consistent(publication, first), consistent(publication, second)
    base = base_count(publication, first.base) if first.base and first.base == second.base else None
    if base is None or spans[0] is None or spans[1] is None:
        return None
    return max(0, spans[0][0] + spans[1][0] - base), min(spans[0][1], spans[1][1])


def _derived(publication: Publication, derived: Derived) -> Row:
    base = base_count(publication, derived.base)
    low = high = 0
    known = base is not None
    for names, sign in ((derived.plus, 1), (derived.minus, -1)):
        for name in names:
            figure = publication.figure(name)
            span = (figure.count, figure.count) if figure.count is not None else consistent(publication, figure)
            if span is None:
                known = False
                continue
            low += sign * span[0 if sign > 0 else 1]
            high += sign * span[1 if sign > 0 else 0]
    shown = None
    if known and base:
        ends = [printed(max(0, end), base, "0.0") for end in (low, high)]
        shown = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
    return Row(
        study=publication.id,
        figure=derived.id,
        says=derived.says,
        base=publication.bases[derived.base].label,
        base_count=base,
        printed=None,
        count=None,
        recomputed=shown,
        low=max(0, low) if known else None,
        high=high if known else None,
        verdict=None,
        why="not printed; follows from the figures above",
        derived=True,
    )
