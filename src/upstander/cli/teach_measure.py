"""``upstander teach learning`` and ``digest``: what a class learnt, and what a platform saw, both without names."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.cli.teach_common import language_option, mistakes, write
from upstander.teach import lessons as lesson_files

EXAMPLES = """
\b
Examples:
  upstander teach learning 11-13-audience answers.csv
  upstander teach digest --platform mysite --month 2026-10 --permission "Ada, head of safety"
"""


@click.command("learning", epilog=EXAMPLES)
@click.argument("lesson")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@language_option
@click.option("--json", "as_json", is_flag=True)
def learning_command(lesson: str, file: Path, language: str, as_json: bool) -> None:
    """Compare the exit check before and after a lesson: by question, and as a whole with an effect size.

    FILE is CSV: code, when (before or after), and a column for each question with the number of the option.
    Codes are words that pupils make up; they are not printed and go into nothing.
    """
    with mistakes():
        from upstander.teach import learning  # noqa: PLC0415 - scipy comes with upstander[teach]

        found = lesson_files.find(lesson_files.shipped(), lesson, language)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise Mistake(f"{file} is not UTF-8. Save it as CSV (UTF-8).") from None
        report = learning.assess(learning.read_sheets(text, found), found)
    if as_json:
        print_json(report)
        return
    table = Table(box=None)
    for column in ("question", "right before", "right after", "discrimination", "chosen after (1, 2, …, none)"):
        table.add_column(column)
    for item in report.items:
        shares = (
            f"{each.right} of {each.of} ({each.low:.0%} to {each.high:.0%})" for each in (item.before, item.after)
        )
        fit = "-" if item.discrimination is None else f"{item.discrimination:.2f}"
        table.add_row(item.question, *shares, fit, ", ".join(map(str, item.options)))
    Console().print(table)
    click.echo(
        f"{report.pairs} pupils: {report.mean_before:.0%} right before, {report.mean_after:.0%} after;"
        f" change {report.change:+.0%} (95%: {report.change_low:+.0%} to {report.change_high:+.0%})."
    )
    if report.effect is not None and report.effect_low is not None and report.effect_high is not None:
        click.echo(f"Hedges' g {report.effect:.2f} (95%: {report.effect_low:.2f} to {report.effect_high:.2f}).")
    click.echo(f"{report.unpaired} sheets had no partner. {report.limits}")


@click.command("digest", epilog=EXAMPLES)
@config_option
@click.option("--platform", required=True, help="The platform whose broadcasts are counted.")
@click.option("--month", required=True, type=click.DateTime(["%Y-%m"]), help="YYYY-MM.")
@click.option("--permission", required=True, help="Who of the platform allowed these counts to be published.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("digest.json"), show_default=True)
def digest_command(
    config: Path | None, data: str | None, platform: str, month: datetime, permission: str, out: Path
) -> None:
    """Count the broadcasts of a month by tactic, small counts withheld, for a newsletter (`--digest`) or a lesson.

    It reads the journal and needs the permission of the platform, which is written into the file.
    """
    from upstander.journal import store  # noqa: PLC0415
    from upstander.teach import digest  # noqa: PLC0415

    path = settings_of(config, data).journal_path
    if not path.exists():
        raise Mistake(f"there is no journal at {path}. Name the data folder with --data or --config.")
    connection = store.connect(path, readonly=True)
    try:
        with mistakes():
            allowed = digest.Permission(permission, datetime.now(UTC).date())
            made = digest.make(connection, platform, date(month.year, month.month, 1), allowed)
    finally:
        connection.close()
    write(out, msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    click.echo(
        f"{out}: {len(made.tactics)} tactics shown, {len(made.withheld)} withheld, {made.broadcasts} broadcasts."
    )
