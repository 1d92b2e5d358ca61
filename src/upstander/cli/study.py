"""``upstander study``: code captures, settle disagreements, publish tables. One module a subcommand; this is only their
group."""

from __future__ import annotations

import importlib

import click

from upstander.cli.common import Mistake

EXAMPLES = """
\b
Examples:
  upstander study reproduce                       published figures, recomputed
  upstander study new mystudy --title "Captures, spring"
  upstander study coder mystudy ada --trained-on 2026-03-01
  upstander study import mystudy items.csv
  upstander study code mystudy --coder ada        code with the keyboard
  upstander study agree mystudy
  upstander study report mystudy --html report.html --pdf report.pdf
"""
#: Subcommands by name: the module of ``upstander.cli`` whose ``command`` it is, and one line about it.
SUBCOMMANDS = {
    "new": ("study_new", "make a study's folder"),
    "coder": ("study_coder", "name a coder, and when an assessor was trained"),
    "import": ("study_import", "take in items to code, or coded items (CSV, Parquet, JSON Lines)"),
    "export": ("study_export", "write codings or settled items (CSV, Parquet, JSON Lines)"),
    "check": ("study_check", "check a study against its codebook: row, field, reason"),
    "code": ("study_code", "code items with the keyboard, or settle disagreements"),
    "desk": ("study_desk", "the same as a page, on this computer only"),
    "agree": ("study_agree", "how far coders agree, and whether that drifts"),
    "table": ("study_table", "one table, with intervals and small cells withheld"),
    "report": ("study_report", "all tables and figures as HTML, PDF and JSON"),
    "prevalence": ("study_prevalence", "sample broadcasts with a sealed seed; estimate with intervals"),
    "reproduce": ("study_reproduce", "recompute published figures: agrees, inconsistent, or not derivable"),
}
#: What the extra `study` brings.
EXTRA = {
    "great_tables",
    "lifelines",
    "matplotlib",
    "networkx",
    "numpy",
    "polars",
    "scipy",
    "statsmodels",
    "svy",
    "typst",
}


class _Lazy(click.Group):
    """Loads a subcommand when it is asked for, as the main group does."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        try:
            found: click.Command = importlib.import_module(f"upstander.cli.{SUBCOMMANDS[cmd_name][0]}").command
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in EXTRA:
                raise
            fix = "Install the extra: pip install 'upstander[study]'."
            raise Mistake(f"`upstander study {cmd_name}` needs {error.name}, which is not installed. {fix}") from None
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in SUBCOMMANDS.items()])


@click.command("study", cls=_Lazy, invoke_without_command=True, epilog=EXAMPLES)
@click.pass_context
def command(context: click.Context) -> None:
    """Measure the problem the way hotlines do: captures coded by a codebook, tables that give nobody away.

    No media and no addresses in clear: items are ids, domains are keyed hashes.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
