"""Results as one self-contained web page: no script, nothing fetched, every figure also a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from upstander.evaluate import figures
from upstander.evaluate.results import Point, Results
from upstander.evaluate.tables import Section, data_rows, sections

_STYLE = """
:root{--ink:#1c2330;--soft:#566072;--line:#d9dce3;--panel:#f5f6f9;--accent:#0072b2;--note:#fff6e0;--edge:#b87a00}
*{box-sizing:border-box}
body{margin:0;background:#fff;color:var(--ink);font:16px/1.55 system-ui,"DejaVu Sans",sans-serif}
main,header{max-width:76rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem}
h2{font-size:1.25rem;margin:2.6rem 0 .3rem;padding-top:.9rem;border-top:1px solid var(--line)}
p{max-width:46rem;margin:.3rem 0 1rem}
.soft,figcaption{color:var(--soft);font-size:.93rem}
.limits{background:var(--note);border-left:4px solid var(--edge);padding:.7rem 1.1rem;margin:1.4rem 0;max-width:56rem}
.limits h2{border:0;margin:0;padding:0;font-size:1.05rem}
.limits ul{margin:.3rem 0;padding-left:1.1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:1rem 0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto;margin:.6rem 0 1rem;border:1px solid var(--line);border-radius:6px}
.wide:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .8rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
tr:last-child td,tr:last-child th[scope=row]{border-bottom:0}
thead th{background:var(--panel);font-weight:600;vertical-align:bottom}
th:first-child,td.why{text-align:left}
th[scope=row]{font-weight:500}
td.why{color:var(--soft);font-style:italic;white-space:normal}
th:first-child{position:sticky;left:0;background:#fff}
thead th:first-child{background:var(--panel)}
.empty{background:var(--panel);border-radius:6px;padding:.8rem 1.1rem;color:var(--soft);max-width:46rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.2rem;margin:1rem 0}
figure{margin:0;border:1px solid var(--line);border-radius:6px;padding:.9rem;max-width:36rem}
figure svg{display:block;width:100%;height:auto}
footer{max-width:76rem;margin:3rem auto 2rem;padding:0 1.25rem;color:var(--soft);font-size:.9rem}
@media(max-width:34rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}h1{font-size:1.4rem}
main,header,footer{padding-left:.9rem;padding-right:.9rem}th,td{padding:.35rem .55rem}figure{padding:.4rem}}
@media print{.wide{overflow:visible}th,td{white-space:normal}}
"""


def as_html(results: Results) -> str:
    """The page. Raises ``CorpusError`` when the figures cannot be drawn (matplotlib is missing)."""
    figures.require()
    drawn = _figures(results)
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in data_rows(results.data))
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in results.limits)
    body = "".join(_section(section, drawn.get(section.key, [])) for section in sections(results))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Upstander: evaluation</title><style>{_STYLE}</style></head><body>"
        "<header><h1>How well Upstander detects, on this data</h1>"
        '<p class="soft">Recall, delay and false alarms, with the limits of every number.</p></header><main>'
        f'<section class="limits" aria-labelledby="limits"><h2 id="limits">Read this first</h2><ul>{limits}</ul>'
        f"</section><dl>{facts}</dl>{body}</main>"
        "<footer>Made by <code>upstander evaluate corpus</code>. What each figure means, and its source, is on the "
        "documentation's evaluation page.</footer></body></html>\n"
    )


def _figures(results: Results) -> dict[str, list[str]]:
    """The figures, by the key of the section they belong to; those that cannot be drawn are left out."""
    curves = _distinct(results.points)
    size = f"{results.data.harmful_pairs:,} harmful and {results.data.benign_pairs:,} benign pairs"
    hours = f"{results.data.benign_hours:,.1f} benign broadcast-hours"
    drawn = {
        "recall": [
            (figures.recall_figure(results.points), f"Recall. {size}; {hours}."),
            (figures.delay_figure(curves), f"How soon: harmful pairs found within a number of messages. {size}."),
        ],
        "predictive": [
            (
                figures.predictive_figure(curves),
                f"Alarms that are right; thin: the low end of the 95% interval. {size}.",
            ),
        ],
        "calibration": [
            (figures.reliability_figure(results.calibration), f"Reliability. {results.calibration.n:,} pairs."),
        ],
    }
    return {
        key: [f"<figure>{svg}<figcaption>{escape(said)}</figcaption></figure>" for svg, said in found if svg]
        for key, found in drawn.items()
    }


def _distinct(points: Sequence[Point]) -> list[Point]:
    """Operating points that differ: two budgets may well end at one threshold, and their curves would coincide."""
    kept: dict[tuple[object, ...], Point] = {}
    for point in points:
        if not point.unavailable:
            kept.setdefault((point.found, point.alarms, tuple(point.reached)), point)
    return list(kept.values())


def _section(section: Section, drawn: Sequence[str]) -> str:
    shown = _table(section) if section.rows else f'<p class="empty">Cannot be computed: {escape(section.empty)}.</p>'
    pair = f'<div class="pair">{"".join(drawn)}</div>' if drawn else ""
    return (
        f'<section aria-labelledby="{section.key}"><h2 id="{section.key}">{escape(section.title)}</h2>'
        f'<p class="soft">{escape(section.note)}</p>{pair}{shown}</section>'
    )


def _table(section: Section) -> str:
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in section.heads)
    rows = []
    for row in section.rows:
        cells = [f"<td>{escape(cell)}</td>" for cell in row[1:]]
        if len(row) < len(section.heads):
            cells[-1] = f'<td class="why" colspan="{len(section.heads) - len(row) + 1}">{escape(row[-1])}</td>'
        rows.append(f'<tr><th scope="row">{escape(row[0])}</th>{"".join(cells)}</tr>')
    # Focusable, so that the keyboard can scroll it where it is wider than the screen.
    return (
        f'<div class="wide" role="region" tabindex="0" aria-labelledby="{section.key}"><table><thead><tr>{heads}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
