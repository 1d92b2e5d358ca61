"""``upstander study check``: a study, or a file before it is imported, against the codebook."""

from __future__ import annotations

from pathlib import Path

import click

from upstander.cli.common import print_json
from upstander.cli.study_import import show_faults
from upstander.cli.study_shared import mistakes, print_table
from upstander.study import codebook, files
from upstander.study.folder import Study, read_rows
from upstander.study.settle import settle
from upstander.study.words import field_name

EXAMPLES = """
\b
Examples:
  upstander study check spring                  what the study holds
  upstander study check spring items.csv        a file, before `import`
  upstander study check --codebook              the codebook: every field, its values and its rule

\b
Exit status: 0 no fault; 1 faults; 2 the study or file cannot be read.
"""


@click.command("check", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--codebook", "show_book", is_flag=True, help="Print the codebook instead.")
@click.option("--json", "as_json", is_flag=True)
def command(folder: Path | None, file: Path | None, show_book: bool, as_json: bool) -> int:
    """Check a study against its codebook: every fault names row, field and reason."""
    if show_book or folder is None:
        _codebook(as_json)
        return 0
    with mistakes():
        study = Study(folder)
        if file is not None:
            found = study.check(*read_rows(file, study))
        else:
            whole = study.items().join(study.codings(), on="item_id", how="left")
            found = study.check(files.as_text(whole))
        settled = settle(study)
    if as_json:
        counts = {"items": settled.items.height, "uncoded": settled.uncoded, "waiting": settled.waiting}
        print_json({"faults": found, **counts})
        return int(bool(found))
    show_faults(found)
    click.echo(
        f"{len(found)} faults. {settled.items.height:,} items settled, {settled.uncoded:,} not coded, "
        f"{settled.waiting:,} wait for a decision."
    )
    return int(bool(found))


def _codebook(as_json: bool) -> None:
    book = codebook.shipped()
    if as_json:
        print_json(book)
        return
    click.echo(f"Codebook {book.version}. Unit: {book.unit_label}.")
    rows = []
    for field in book.fields:
        values = ", ".join(field.values) or (f"{field.low} to {field.high}" if field.high else field.kind)
        who = "trained assessor" if field.trained else "coder" if field.judged else "fact"
        rows.append((field.name, values, who, field.schema or "-", field.iccam or "-", field.rule))
    print_table(("field", "values", "decided by", "schema section", "ICCAM", "rule"), rows)
    for rule in book.together:
        click.echo(f"Not together: {', '.join(field_name(name) for name in rule.when)}: {rule.why}.")
    for line in (*book.sources, *book.limits):
        click.echo(f"Note: {line}")
