"""A report as one self-contained web page: tables by great-tables, figures as SVG, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import polars as pl
from great_tables import GT

from upstander.study.figures import Drawing, draw
from upstander.study.plan import SECTIONS
from upstander.study.report import Grid, Report, agreement_grid, comparison_grids, grid, removal_grid

#: Columns above which a table is set narrower.
MANY = 7
_STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--soft:#566072;--line:#d9dce3;--panel:#f5f6f9;--ground:#fff;
--accent:#0072b2;--note:#fff6e0;--edge:#b87a00}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9f0;--soft:#aab3c4;--line:#3a4254;--panel:#232a38;--ground:#161b26;
--accent:#56b4e9;--note:#33290f;--edge:#e6a400}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,"DejaVu Sans",sans-serif}
main,header,footer{max-width:72rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem}
h2{font-size:1.3rem;margin:2.6rem 0 .3rem;padding-top:.9rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.8rem 0 .3rem}
p{max-width:46rem;margin:.3rem 0 1rem}
.soft,figcaption,footer{color:var(--soft);font-size:.93rem}
.limits{background:var(--note);border-left:4px solid var(--edge);padding:.7rem 1.1rem;margin:1.4rem 0;max-width:56rem}
.limits h2{border:0;margin:0;padding:0;font-size:1.05rem}
.limits ul{margin:.3rem 0;padding-left:1.1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:1rem 0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto;width:fit-content;max-width:100%;margin:.4rem 0;
border:1px solid var(--line);border-radius:6px}
.wide:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
figure{margin:1rem 0;border:1px solid var(--line);border-radius:6px;padding:.9rem;max-width:44rem}
figure svg{display:block;width:100%;height:auto;background:#fff;border-radius:3px}
figcaption{margin-top:.5rem}
.foot{margin:.1rem 0}
footer{margin:3rem auto 2rem}
@media(max-width:34rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}h1{font-size:1.4rem}
main,header,footer{padding-left:.9rem;padding-right:.9rem}figure{padding:.4rem}}
@media print{.wide{overflow:visible}}
/* great-tables gives each table colours of its own; the page's, so that they hold in the dark too. */
.wide>div{padding:0!important;overflow:visible!important}
.wide table.gt_table{width:auto;margin:0!important;border:0!important;background:var(--ground)!important;
color:var(--ink)!important;font:inherit!important;font-size:.9rem!important;font-variant-numeric:tabular-nums}
.wide .gt_col_heading{background:var(--panel)!important;color:var(--ink)!important;font-weight:600!important;
font-size:inherit!important;border-color:var(--line)!important;vertical-align:bottom!important;
padding:.35rem .8rem!important}
.wide .gt_row{color:var(--ink)!important;border-color:var(--line)!important;padding:.35rem .8rem!important;
white-space:nowrap;background:none!important}
.wide .gt_col_headings,.wide .gt_table_body{border-color:var(--line)!important}
.wide.many .gt_row,.wide.many .gt_col_heading{padding:.3rem .45rem!important;white-space:normal;
font-size:.85rem!important}
"""


def as_html(report: Report) -> str:
    """The page."""
    drawn = draw(report.tables)
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in report.facts)
    body = [
        _section(title, [grid(report.tables.table(key)) for key in keys], drawn) for title, keys in SECTIONS.items()
    ]
    more = [
        _section("Between years", comparison_grids(report.tables), drawn),
        _section("How long they stay up", [removal_grid(report.tables)], drawn),
        _section("Agreement of coders", [agreement_grid(report)], {}),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>"
        f'<header><h1>{escape(report.title)}</h1><p class="soft">Captures of live-streamed abuse: what was coded, and '
        f"what can be said of it.</p></header><main>{_listed('Read this first', 'limits', report.limits)}"
        f"<dl>{facts}</dl>{''.join(body)}{''.join(more)}"
        f"{_paragraphs('Methods', report.methods)}{_paragraphs('Words', report.terms)}</main>"
        "<footer>Made by <code>upstander study report</code>.</footer></body></html>\n"
    )


def _listed(title: str, kind: str, entries: Sequence[str]) -> str:
    lines = "".join(f"<li>{escape(entry)}</li>" for entry in entries)
    return f'<section class="{kind}" aria-labelledby="{kind}"><h2 id="{kind}">{title}</h2><ul>{lines}</ul></section>'


def _paragraphs(title: str, entries: Sequence[str]) -> str:
    return f"<section><h2>{title}</h2>{''.join(f'<p>{escape(entry)}</p>' for entry in entries)}</section>"


def _section(title: str, grids: Sequence[Grid], drawn: dict[str, Drawing]) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(_table(one, drawn.get(one.key)) for one in grids)}</section>"


def _table(one: Grid, drawing: Drawing | None) -> str:
    note = f'<p class="soft">{escape(one.note)}</p>' if one.note else ""
    figure = f"<figure>{drawing.svg}<figcaption>{escape(drawing.caption)}</figcaption></figure>" if drawing else ""
    head = f'<h3 id="{one.key}">{escape(one.title)}</h3>{note}{figure}'
    if not one.rows:
        return head
    kind = "wide many" if len(one.heads) > MANY else "wide"
    foot = "".join(f'<p class="soft foot">{escape(line)}</p>' for line in one.foot)
    # Focusable, so that the keyboard can scroll it where it is wider than the screen.
    region = f'<div class="{kind}" role="region" tabindex="0" aria-labelledby="{one.key}">'
    return f"{head}{region}{great_table(one)}</div>{foot}"


def great_table(one: Grid) -> str:
    """A grid as great-tables draws it."""
    names = [f"c{at}" for at in range(len(one.heads))]
    frame = pl.DataFrame(list(one.rows), schema=dict.fromkeys(names, pl.String), orient="row")
    table = GT(frame, id=f"t-{one.key}").cols_label(dict(zip(names, one.heads, strict=True)))
    table = table.cols_align("left", names[:1]).cols_align("right", names[1:])
    return str(table.as_raw_html())
