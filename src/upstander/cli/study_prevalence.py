"""``upstander study prevalence``: sealed samples of broadcasts, estimates with intervals, what detectors miss."""

from __future__ import annotations

import secrets
from pathlib import Path

import click
import polars as pl

from upstander.cli.common import Mistake, print_json
from upstander.cli.study_shared import mistakes
from upstander.study import files, prevalence

EXAMPLES = """
\b
Examples:
  upstander study prevalence seal --out seed.txt      publish the commitment it prints
  upstander study prevalence draw broadcasts.csv --seed-file seed.txt --commitment 4f0c… \\
      --size night=200 --size day=100 --out sample.csv
  upstander study prevalence estimate sample.csv      after people have filled in `positive`
  upstander study prevalence missed --first 120 --second 90 --both 60
  upstander study prevalence missed --history 100=40 --history 110=12 …
"""
LIMITS = (
    "The interval holds for the broadcasts that the sample was drawn from, at the time, as reviewers judged them.",
    "Weights follow from how many of each stratum were reviewed: a broadcast that was drawn and could not be reviewed "
    "is treated as missing at random within its stratum.",
)
MISSED_LIMITS = (
    "Two detectors: the estimate holds if they find independently of each other and every case is as easy to find as "
    "any other. Detectors that find the same easy cases make it too low.",
)


@click.group("prevalence", epilog=EXAMPLES)
def command() -> None:
    """How common something is on your own platform, by people who review a random sample of broadcasts."""


@command.command("seal")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where the seed is kept.")
def seal(out: Path) -> None:
    """Draw a seed and print its commitment. Publish the commitment before the broadcasts of the sample are known."""
    sealed = prevalence.Sealed.of(secrets.token_hex(32))
    try:
        with out.open("x", encoding="ascii") as file:
            out.chmod(0o600)
            file.write(sealed.seed + "\n")
    except OSError as error:
        raise Mistake(f"{out} cannot be written ({error.strerror}). A seed is never overwritten.") from None
    click.echo(sealed.commitment)


@command.command("draw")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--seed-file", type=click.Path(path_type=Path, dir_okay=False, exists=True), required=True)
@click.option("--commitment", required=True, help="As `seal` printed it.")
@click.option("--size", "sizes", multiple=True, required=True, metavar="STRATUM=N", help="How many of each stratum.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
def draw(file: Path, seed_file: Path, commitment: str, sizes: tuple[str, ...], out: Path) -> None:
    """Draw a stratified sample of FILE (columns `broadcast` and `stratum`). Anyone with the seed can draw it again."""
    with mistakes():
        seed = seed_file.read_text(encoding="ascii").strip()
        prevalence.opened(commitment, seed)
        frame = _columns(files.read_text(file), file, ["broadcast", "stratum"])
        sample = prevalence.draw(frame, _numbers(sizes, "STRATUM=N"), prevalence.Sealed(commitment, seed))
        files.write(sample.with_columns(pl.lit(None, dtype=pl.String).alias("positive")), out)
    click.echo(f"{sample.height:,} broadcasts in {out}. Reviewers write 1 or 0 into `positive`.")


@command.command("estimate")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True)
def estimate(file: Path, as_json: bool) -> None:
    """Estimate the share and the number of broadcasts found by review (Horvitz-Thompson). Empty `positive`: not
    reviewed."""
    with mistakes():
        frame = _columns(files.read_text(file), file, ["stratum", "population", "positive"])
        numbers = pl.col("population", "positive").cast(pl.Int64, strict=False)
        reviewed = frame.filter(pl.col("positive").is_not_null()).with_columns(numbers)
        if not reviewed.height or reviewed.null_count().sum_horizontal()[0]:
            raise Mistake(f"{file}: `positive` or `population` is empty or no whole number. Write 1 or 0.")
        total, share = prevalence.estimate(reviewed)
    unreviewed = frame.height - reviewed.height
    if as_json:
        print_json({"total": total, "share": share, "not_reviewed": unreviewed, "limits": LIMITS})
        return
    click.echo(f"Share of broadcasts: {share.value:.3%} (95% interval {share.low:.3%} to {share.high:.3%}).")
    click.echo(
        f"Number: {total.value:,.0f} ({total.low:,.0f} to {total.high:,.0f}) of {total.population:,} broadcasts."
    )
    click.echo(f"n = {share.n:,} reviewed; {unreviewed:,} drawn and not reviewed.")
    for limit in LIMITS:
        click.echo(f"Note: {limit}")


@command.command("missed")
@click.option("--first", type=click.IntRange(0), help="Found by the first detector.")
@click.option("--second", type=click.IntRange(0), help="Found by the second.")
@click.option("--both", type=click.IntRange(0), help="Found by both.")
@click.option(
    "--history", "histories", multiple=True, metavar="101=N", help="Three detectors or more: who found so many."
)
@click.option("--json", "as_json", is_flag=True)
def missed(first: int | None, second: int | None, both: int | None, histories: tuple[str, ...], as_json: bool) -> None:
    """Estimate what detectors missed, from how much they found together (capture-recapture)."""
    with mistakes():
        if histories:
            found = prevalence.missed_by_many(_numbers(histories, "101=N"))
        elif first is None or second is None or both is None:
            raise Mistake("name --first, --second and --both, or a --history for three detectors or more.")
        else:
            found = prevalence.missed_by_two(first, second, both)
    if as_json:
        print_json({"missed": found, "limits": MISSED_LIMITS})
        return
    click.echo(
        f"{found.method}: {found.found:,} found, {found.total:,.1f} estimated in all "
        f"({found.low:,.1f} to {found.high:,.1f}), so {found.missed:,.1f} missed."
    )
    for limit in MISSED_LIMITS:
        click.echo(f"Note: {limit}")


def _columns(frame: pl.DataFrame, file: Path, names: list[str]) -> pl.DataFrame:
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise Mistake(f"{file} has no column `{absent[0]}`. It needs: {', '.join(names)}.")
    return frame


def _numbers(pairs: tuple[str, ...], form: str) -> dict[str, int]:
    found = {}
    for pair in pairs:
        name, _, number = pair.rpartition("=")
        if not name or not number.isdecimal():
            raise Mistake(f"{pair!r} is not {form}.")
        found[name] = int(number)
    return found
