"""A back-test as one self-contained web page: no script, nothing fetched."""

from __future__ import annotations

from html import escape

from upstander.backtest.tables import LIMITS, Section, Tried, facts, sections

_STYLE = """
:root{--ink:#1c2330;--soft:#566072;--line:#d9dce3;--panel:#f5f6f9;--accent:#0072b2;--note:#fff6e0;--edge:#b87a00}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:2rem 1.25rem;color:var(--ink)}
body{font:16px/1.55 system-ui,"DejaVu Sans",sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:0}
h2{font-size:1.2rem;margin:2.4rem 0 .3rem}
p{max-width:46rem;margin:.3rem 0 .8rem}
p,dt,footer{color:var(--soft)}
.limits{background:var(--note);border-left:4px solid var(--edge);padding:.7rem 1.1rem;margin:1.4rem 0;max-width:56rem}
.limits h2{margin:0;font-size:1.05rem}
.limits ul{margin:.3rem 0;padding-left:1.1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:1rem 0}
dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:6px}
.wide:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .8rem;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
thead th{background:var(--panel)}
th:first-child,.wordy th,.wordy td{text-align:left}
th[scope=row]{font-weight:500;overflow-wrap:anywhere}
tbody tr:last-child>*{border-bottom:0}
footer{margin-top:3rem;font-size:.9rem}
@media(max-width:34rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}th,td{padding:.35rem .5rem}}
"""


def as_html(tried: Tried) -> str:
    """The page."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts(tried))
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in LIMITS)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Upstander: back-test of a policy</title><style>{_STYLE}</style></head><body><main>"
        "<h1>What a new policy would have done</h1>"
        '<section class="limits" aria-labelledby="limits"><h2 id="limits">Read this first</h2>'
        f"<ul>{limits}</ul></section><dl>{rows}</dl>{''.join(map(_section, sections(tried)))}</main>"
        "<footer>Made by <code>upstander policy backtest</code>.</footer></body></html>\n"
    )


def _section(section: Section) -> str:
    note = f"<p>{escape(section.note)}</p>" if section.note else ""
    return (
        f'<section aria-labelledby="{section.key}"><h2 id="{section.key}">{escape(section.title)}</h2>{note}'
        f"{_table(section) if section.rows else '<p>None.</p>'}</section>"
    )


def _table(section: Section) -> str:
    heads = "".join(f'<th scope="col">{escape(head) or "what"}</th>' for head in section.heads)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in section.rows
    )
    # Focusable, so that the keyboard can scroll it where it is wider than the screen.
    return (
        f'<div class="wide{" wordy" if section.wordy else ""}" role="region" tabindex="0" '
        f'aria-labelledby="{section.key}"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )
