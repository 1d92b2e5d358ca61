"""``upstander evaluate corpus``: recall, delay and false alarms on labelled broadcasts."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from upstander.cli.common import Mistake, clear_errors, config_option, print_json, settings_of
from upstander.evaluate import figures, report, terminal
from upstander.evaluate.corpus import HEAD_BYTES, Case, CorpusError, Format, Options, detect
from upstander.evaluate.readers import READERS
from upstander.evaluate.readers.pan12 import read_predators
from upstander.evaluate.run import CaseTrace, trace_all
from upstander.evaluate.summary import About, summarise
from upstander.gateway.configuration import configuration_of
from upstander.model.vocabulary import AgeBand
from upstander.runtime import Configuration, Runtime

EXAMPLES = """
\b
Examples:
  upstander evaluate corpus labelled.jsonl
  upstander evaluate corpus pan12-test.xml --predators groundtruth-problem1.txt --html report.html --workers 2
  upstander evaluate corpus datapack-PANC-test.json --json | jq '.points[] | {name, recall}'
  upstander evaluate corpus ordinary-chat.jsonl --assume-benign
"""
#: Further complaints about lines that were left out are only counted.
COMPLAINTS_SHOWN = 10


class _Complaints:
    """Says what was left out on standard error: the first few in full, the rest as a count."""

    def __init__(self, console: Console) -> None:
        self.count = 0
        self._console = console

    def __call__(self, text: str) -> None:
        self.count += 1
        if self.count <= COMPLAINTS_SHOWN:
            self._console.print(text, style="yellow", markup=False)

    def close(self) -> None:
        """Say how many were not shown."""
        if self.count > COMPLAINTS_SHOWN:
            self._console.print(f"… and {self.count - COMPLAINTS_SHOWN:,} more like these", style="yellow")


@click.command("corpus", epilog=EXAMPLES)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Format]),
    help="The files' format. Default: told by their content.",
)
@click.option(
    "--predators",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="PAN-2012's list of predators' author ids, one a line.",
)
@click.option(
    "--host-age-band",
    type=click.Choice([band.value for band in AgeBand]),
    default=AgeBand.FROM_10_TO_12.value,
    show_default=True,
    help="The host's age band where the data names none.",
)
@click.option("--assume-benign", is_flag=True, help="Wire files: count broadcasts without any label as benign.")
@click.option(
    "--threshold",
    "thresholds",
    type=click.FloatRange(min=0, min_open=True),
    multiple=True,
    metavar="NATS",
    help="Also judge this belief, such as one chosen on other data. May be given several times.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N broadcasts.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes to spread the broadcasts over. The results do not depend on it.",
)
@click.option("--json", "as_json", is_flag=True, help="The results as one JSON object.")
@click.option(
    "--html",
    "html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the results as one self-contained web page (needs upstander[evaluate]).",
)
@config_option
def command(
    files: Sequence[Path],
    form: str | None,
    predators: Path | None,
    host_age_band: str,
    assume_benign: bool,
    thresholds: Sequence[float],
    limit: int | None,
    workers: int,
    as_json: bool,
    html: Path | None,
    config: Path | None,
    data: str | None,
) -> None:
    """Play labelled broadcasts to the engine, and say how much harm it finds, how soon, and at what false alarms.

    Reads labelled wire events (JSON Lines), PAN-2012 (XML, with --predators) and PANC (CSV or datapack JSON); none of
    these corpora is shipped. What the figures mean is on the documentation's evaluation page. Nothing is kept.
    Exit status: 0, or 1 when something in the files could not be read and was left out.
    """
    settings = settings_of(config, data)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    complaints = _Complaints(errors)
    try:
        if html is not None:
            # Said before the work is done, not after it.
            figures.require()
            if not html.parent.is_dir():
                raise Mistake(f"{html}: the folder does not exist. Name a file in a folder that does.")
        with clear_errors():
            configuration = configuration_of(settings)
            versions = dict(Runtime(configuration).engine("").versions)
        options = Options(
            complain=complaints,
            band=AgeBand(host_age_band),
            predators=None if predators is None else read_predators(predators),
            assume_benign=assume_benign,
        )
        formats = [Format(form) if form else detect(_head(file), str(file)) for file in files]
        traces = _trace(configuration, files, formats, options, limit, workers, None if as_json else errors)
    except CorpusError as error:
        raise Mistake(str(error)) from None
    complaints.close()
    about = About(
        files=[str(file) for file in files],
        formats=sorted(set(formats)),
        host_age_band=host_age_band,
        versions=versions,
        left_out=complaints.count,
    )
    results = summarise(traces, about, thresholds)
    if html is not None:
        html.write_text(report.as_html(results), encoding="utf-8")
        errors.print(f"wrote {html}", markup=False)
    if as_json:
        print_json(results)
    else:
        terminal.show(results, Console(highlight=False))
    if complaints.count:
        raise click.exceptions.Exit(1)


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def _trace(
    configuration: Configuration,
    files: Sequence[Path],
    formats: Sequence[Format],
    options: Options,
    limit: int | None,
    workers: int,
    console: Console | None,
) -> list[CaseTrace]:
    """The traces of all broadcasts in the files, with a progress bar by bytes when a person is watching."""
    columns = (
        TextColumn("evaluating"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[cases]:,} broadcasts"),
        TimeRemainingColumn(),
    )
    shown = console if console is not None and console.is_terminal else None
    with Progress(*columns, console=shown, transient=True, disable=shown is None) as progress:
        total = sum(file.stat().st_size for file in files)
        task = progress.add_task("", total=total, cases=0)
        cases = _cases(files, formats, options, progress, task)
        traces = []
        for trace in trace_all(configuration, itertools.islice(cases, limit), min(workers, os.cpu_count() or 1)):
            traces.append(trace)
            progress.update(task, cases=len(traces))
        return traces


def _cases(
    files: Sequence[Path], formats: Sequence[Format], options: Options, progress: Progress, task: TaskID
) -> Iterator[Case]:
    before = 0
    for file, kind in zip(files, formats, strict=True):
        with file.open("rb") as stream:
            for case in READERS[kind](stream, str(file), options):
                progress.update(task, completed=before + stream.tell())
                yield case
        before += file.stat().st_size
