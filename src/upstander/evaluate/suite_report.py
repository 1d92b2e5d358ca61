"""A run of the functional suite as JSON and as one self-contained web page. Shows no line of the suite."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from upstander.evaluate.functional import Gate, Obfuscated, Report, TacticResult, gates, pooled, total
from upstander.evaluate.proportions import Proportion


def language_totals(results: Iterable[TacticResult]) -> tuple[Proportion, Proportion, Proportion]:
    """Recall, benign firing and benign lines that show the file's own tactic, over several tactics."""
    kept = list(results)
    nothing = Proportion()
    return (
        sum((result.recall for result in kept), nothing),
        sum((result.benign for result in kept), nothing),
        sum((result.own for result in kept), nothing),
    )


def as_json(report: Report) -> dict[str, object]:
    """The whole report: ``part``, ``seed``, ``versions``, ``languages`` (each with ``tactics``), ``gates``."""
    return {
        "part": report.part,
        "seed": report.seed,
        "versions": report.versions,
        "languages": {language: _language(report.of(language)) for language in report.languages},
        "gates": [_gate(gate) for gate in gates(report)],
    }


def _language(results: list[TacticResult]) -> dict[str, object]:
    recall, benign, own = language_totals(results)
    by_generator = pooled(results)
    return {
        "recall": recall.as_json(),
        "benign": benign.as_json(),
        "benign_own_tactic": own.as_json(),
        "obfuscated": _obfuscated(total(by_generator.values())),
        "by_generator": {name: _obfuscated(one) for name, one in by_generator.items()},
        "tactics": {result.tactic: _tactic(result) for result in results},
    }


def _tactic(result: TacticResult) -> dict[str, object]:
    return {
        "recall": result.recall.as_json(),
        "missed_with_nothing_seen": result.missed_unseen,
        "benign": result.benign.as_json(),
        "benign_own_tactic": result.own.as_json(),
        "obfuscated": _obfuscated(total(result.obfuscated.values())),
        "by_generator": {name: _obfuscated(one) for name, one in result.obfuscated.items()},
        "by_style": {name: _obfuscated(one) for name, one in result.styles.items()},
        "rows": [
            {"id": row.id, "what": row.what, "expected": row.expected, "right": row.right.hits, "of": row.right.total}
            for row in result.rows
        ],
    }


def _obfuscated(one: Obfuscated) -> dict[str, object]:
    return {
        "recall": one.changed.as_json(),
        "plain_recall_of_the_same_lines": round(one.plain.share, 4),
        "ratio": round(one.ratio, 4),
    }


def _gate(gate: Gate) -> dict[str, object]:
    return {"name": gate.name, "value": round(gate.value, 4), "limit": gate.limit, "met": gate.met}


_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1b1f;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;width:100%}
th,td{border-bottom:1px solid #d8d8de;padding:.25rem .5rem;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.missed td{background:#fdecea}
summary{cursor:pointer;font-weight:600;margin:.4rem 0}
@media(prefers-color-scheme:dark){body{background:#17171a;color:#e8e8ec}th,td{border-color:#3a3a42}
tr.missed td{background:#4a1f1c}}
"""


def as_html(report: Report) -> str:
    """One page without scripts or outside files: gates, tactics, generators, and each functionality."""
    versions = ", ".join(f"{name} {value}" for name, value in report.versions.items())
    parts = [f"<p>Part <b>{report.part}</b>, seed {report.seed}; {escape(versions)}. Intervals are 95% (Wilson).</p>"]
    found = gates(report)
    if found:
        rows = [([gate.name, f"{gate.value:.1%}", f"{gate.limit:.0%}", _yes(gate.met)], not gate.met) for gate in found]
        parts += ["<h2>Gates</h2>", _table(["gate", "value", "limit", "met"], rows, 1)]
    for language in report.languages:
        results = report.of(language)
        parts.append(f"<h2>Language {escape(language)}</h2>")
        parts.append(
            _table(["tactic", "recall", "benign firing", "benign, own tactic", "obfuscated"], _lines(results), 1)
        )
        generators = [([name, *_cells(one)], False) for name, one in pooled(results).items()]
        parts.append(_table(["generator", "recall", "plain, same lines", "ratio"], generators, 1))
        for result in results:
            rows = [
                ([row.id, row.what, row.expected, f"{row.right.hits} of {row.right.total}"], row.right.share < 1)
                for row in result.rows
            ]
            table = _table(["functionality", "what it tests", "must", "right"], rows, 3)
            parts.append(f"<details><summary>{result.tactic}</summary>{table}</details>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Functional suite</title>'
        f"<style>{_STYLE}</style></head><body><h1>Functional suite</h1>{''.join(parts)}</body></html>\n"
    )


def _lines(results: list[TacticResult]) -> list[tuple[list[str], bool]]:
    lines = []
    for result in results:
        together = total(result.obfuscated.values())
        shares = [result.recall, result.benign, result.own]
        lines.append(([result.tactic, *(share.percent() for share in shares), f"{together.ratio:.3f}"], False))
    shares = list(language_totals(results))
    ratio = total(pooled(results).values()).ratio
    return [*lines, (["all", *(share.percent() for share in shares), f"{ratio:.3f}"], False)]


def _cells(one: Obfuscated) -> list[str]:
    return [one.changed.percent(), f"{one.plain.share:.1%}", f"{one.ratio:.3f}"]


def _yes(met: bool) -> str:
    return "yes" if met else "no"


def _table(head: list[str], rows: list[tuple[list[str], bool]], numbers_from: int) -> str:
    """A table; the cells from column ``numbers_from`` on are figures. A row marked true is shown as a miss."""

    def cells(tag: str, values: list[str]) -> str:
        kinds = [' class="n"' if index >= numbers_from else "" for index in range(len(values))]
        return "".join(f"<{tag}{kind}>{escape(value)}</{tag}>" for kind, value in zip(kinds, values, strict=True))

    body = "".join(f"<tr{' class=missed' if missed else ''}>{cells('td', row)}</tr>" for row, missed in rows)
    return f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"
