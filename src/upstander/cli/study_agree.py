"""``upstander study agree``: how far coders agree, and whether that drifts over time."""

from __future__ import annotations

from pathlib import Path

import click

from upstander.cli.common import print_json
from upstander.cli.study_shared import mistakes, print_table
from upstander.study import agree
from upstander.study.folder import Study
from upstander.study.measures import p_text
from upstander.study.report import interval_cells
from upstander.study.settle import settle

EXAMPLES = """
\b
Examples:
  upstander study agree spring
  upstander study agree spring --drift
  upstander study agree spring --json
"""
LIMITS = (
    "Before disagreements were settled. Kappa and alpha are low where nearly all items have one value, however well "
    "coders agree: read them beside the share of equal codings.",
    "Drift counts all judged fields of an item as if they were independent: its interval is too narrow.",
)


@click.command("agree", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--drift", is_flag=True, help="Also every coder's agreement with others, by month.")
@click.option("--json", "as_json", is_flag=True)
def command(folder: Path, drift: bool, as_json: bool) -> None:
    """Agreement on items that were coded twice: Cohen's kappa for each pair, Krippendorff's alpha for all coders."""
    with mistakes():
        study = Study(folder)
        codings = study.codings()
        waiting = settle(study).waiting
        kappas = agree.kappas(codings, study.codebook)
        alphas = agree.alphas(codings, study.codebook)
        drifts = agree.drifts(codings, study.codebook)
    if as_json:
        print_json({"kappas": kappas, "alphas": alphas, "drift": drifts, "waiting": waiting, "limits": LIMITS})
        return
    if not alphas:
        click.echo("No item was coded by two people: how far coders agree is not known.")
        return
    rows = [
        (one.field, " and ".join(one.coders), f"{one.n:,}", f"{one.agreement.value:.1%}",
         *interval_cells(one.kappa, one.low, one.high))
        for one in kappas
    ]  # fmt: skip
    print_table(("field", "coders", "items", "equal", "kappa", "95% interval"), rows, right=(2, 3, 4))
    click.echo()
    lines = [(one.field, one.metric, f"{one.items:,}", *interval_cells(one.alpha, one.low, one.high)) for one in alphas]
    print_table(("field", "scale", "items", "alpha", "95% interval"), lines, right=(2, 3))
    if drift:
        click.echo()
        _drift(drifts)
    click.echo(f"\n{waiting:,} items wait for a decision: upstander study code {folder} --settle --coder NAME")
    for limit in LIMITS:
        click.echo(f"Note: {limit}")


def _drift(drifts: list[agree.Drift]) -> None:
    rows = []
    for one in drifts:
        for month, share in zip(one.months, one.agreement, strict=True):
            rows.append(
                (one.coder, month, f"{share.base:,}", f"{share.value:.1%}", f"{share.low:.1%} to {share.high:.1%}")
            )
    print_table(("coder", "month", "fields", "equal", "95% interval"), rows, right=(2, 3))
    for one in drifts:
        if one.odds_a_month is None or one.low is None or one.high is None or one.p is None:
            click.echo(f"{one.coder}: no trend (fewer than three months, or fewer than two with a disagreement).")
        else:
            click.echo(
                f"{one.coder}: odds of agreeing change by a factor of {one.odds_a_month:.3f} a month "
                f"({one.low:.3f} to {one.high:.3f}), {p_text(one.p)}."
            )
