#!/usr/bin/env python3
"""Deals the functional suite: a third of the lines is held out, the rest becomes the packs' examples.

    scripts/deal_examples.py STAGE                  # every language under STAGE: <language>/<tactic>.yaml
    scripts/deal_examples.py STAGE --language en
    scripts/deal_examples.py STAGE --check          # read and count, write nothing

Which part a line goes to depends on the line alone (``upstander.evaluate.split``). A held-out line that an example,
or one of the packs' own ``fires`` and ``spares``, says in nearly the same characters would make the figures too good:
it is dropped. Held-out lines are counted, never printed. Exit status 1 when a file cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec
import yaml

from upstander.detect import packs
from upstander.evaluate.split import Part, folded, near_pairs, part_of
from upstander.evaluate.suites import Expected, Row, Suite, SuiteError, parse

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "upstander"
HEADERS = {
    Part.HELD_OUT: "# Held out: nobody writes patterns or trains on these lines. Dealt by scripts/deal_examples.py.\n",
    Part.EXAMPLES: "# To write patterns and train on. Dealt by scripts/deal_examples.py.\n",
}


class Dealt(msgspec.Struct):
    """One language, dealt: the suites of both parts, and what was found on the way."""

    held_out: list[Suite]
    examples: list[Suite]
    repeated: int
    near: int
    dropped: int
    contradictions: list[str]


def read(folder: Path) -> list[Suite]:
    """The suites of one language's folder; each file must be named after its tactic."""
    suites = []
    for path in sorted(folder.glob("*.yaml")):
        name = f"{folder.name}/{path.name}"
        suite = parse(name, path.read_text(encoding="utf-8"))
        if (suite.language, suite.tactic) != (folder.name, path.stem):
            raise SuiteError(name, "", f"it says {suite.language}, {suite.tactic}", "Rename the file or mend it.")
        suites.append(suite)
    if not suites:
        raise SuiteError(folder.name, "", "the folder holds no suite", "Put `<tactic>.yaml` files in it.")
    return suites


def keep(suite: Suite, part: Part, without: frozenset[str] = frozenset()) -> Suite:
    """What of a suite belongs to a part: rows with their remaining lines, each line once, empty rows left out."""
    seen = set(without)
    rows = []
    for row in suite.rows:
        lines = []
        for text in row.examples:
            if part_of(suite.language, suite.tactic, text) is part and folded(text) not in seen:
                seen.add(folded(text))
                lines.append(text)
        if lines:
            rows.append(Row(row.id, row.what, row.expected, tuple(lines)))
    return Suite(suite.tactic, suite.language, tuple(rows))


def deal(suites: Sequence[Suite], known: Sequence[str]) -> Dealt:
    """Deal one language. ``known``: what else the detectors are written on (the packs' fires and spares)."""
    examples = [keep(suite, Part.EXAMPLES) for suite in suites]
    held_out = [keep(suite, Part.HELD_OUT) for suite in suites]
    written_on = [text for suite in examples for row in suite.rows for text in row.examples] + list(known)
    kept = []
    near = dropped = 0
    for suite in held_out:
        lines = [text for row in suite.rows for text in row.examples]
        pairs = near_pairs(lines, written_on)
        near += len(pairs)
        leaks = frozenset(folded(lines[index]) for index, _ in pairs)
        dropped += len(leaks)
        kept.append(keep(suite, Part.HELD_OUT, without=leaks))
    written = sum(len(row.examples) for suite in suites for row in suite.rows)
    left = sum(len(row.examples) for suite in (*examples, *held_out) for row in suite.rows)
    return Dealt(kept, examples, written - left, near, dropped, contradictions(suites))


def contradictions(suites: Sequence[Suite]) -> list[str]:
    """Places where the same line must fire in one row and must not in another, by row: no text is shown."""
    places: defaultdict[str, dict[Expected, str]] = defaultdict(dict)
    for suite in suites:
        for row in suite.rows:
            for text in row.examples:
                places[folded(text)][row.expected] = f"{suite.tactic}.{row.id}"
    return sorted(" and ".join(sorted(found.values())) for found in places.values() if len(found) > 1)


def dump(suite: Suite, part: Part) -> str:
    """A suite as YAML."""
    data = msgspec.to_builtins(suite)
    return HEADERS[part] + yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=118)


def write(dealt: Dealt, language: str, package: Path) -> None:
    """Write both parts; a tactic of which nothing is left loses its file."""
    folders = {
        Part.HELD_OUT: package / "evaluate" / "suites" / language,
        Part.EXAMPLES: package / "packs" / language / "examples",
    }
    for part, suites in ((Part.HELD_OUT, dealt.held_out), (Part.EXAMPLES, dealt.examples)):
        folders[part].mkdir(parents=True, exist_ok=True)
        for suite in suites:
            path = folders[part] / f"{suite.tactic}.yaml"
            if suite.rows:
                path.write_text(dump(suite, part), encoding="utf-8")
            else:
                path.unlink(missing_ok=True)


def counts(suites: Sequence[Suite]) -> str:
    """Lines that fire and lines that spare, as text."""
    fires, spares = (sum(len(suite.lines(expected)) for suite in suites) for expected in Expected)
    return f"{fires} fire + {spares} spare"


def main() -> int:
    """Deal, write, and say what was done."""
    parser = argparse.ArgumentParser(description="Deal the functional suite into held-out lines and examples.")
    parser.add_argument("stage", type=Path, help="the folder with <language>/<tactic>.yaml")
    parser.add_argument("--language", action="append", help="only this one; may be given again")
    parser.add_argument("--package", type=Path, default=PACKAGE, help="where to write (default: this source tree)")
    parser.add_argument("--check", action="store_true", help="read and count, write nothing")
    options = parser.parse_args()
    try:
        bundled = packs.bundled()
        for language in options.language or sorted(path.name for path in options.stage.iterdir() if path.is_dir()):
            patterns = packs.load(pack for pack in bundled if pack[0].startswith(f"{language}/")).patterns
            own = [text for pattern in patterns for text in (*pattern.fires, *pattern.spares)]
            suites = read(options.stage / language)
            dealt = deal(suites, own)
            if not options.check:
                write(dealt, language, options.package)
            print(
                f"{language}: {len(suites)} tactics; examples {counts(dealt.examples)}; "
                f"held out {counts(dealt.held_out)}; written twice {dealt.repeated}; near-duplicate pairs across the "
                f"parts {dealt.near}, held-out lines dropped for it {dealt.dropped}; "
                f"contradictions {len(dealt.contradictions)}"
            )
            for places in dealt.contradictions:
                print(f"  the same line must fire and must not: {places}", file=sys.stderr)
    except (SuiteError, packs.PackError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
