"""Everything that is wrong with packs, at once: what ``packs.load`` refuses, and what only their examples show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from upstander.detect import backtracking, expressions, packs, probe, trace
from upstander.detect.excerpt import underlined
from upstander.detect.matcher import Hit, Matcher
from upstander.detect.normalise import views
from upstander.detect.packfile import Problem, Read
from upstander.detect.packs import PackError, Pattern

#: Fewer examples than this say too little about a pattern.
FIRES_WANTED, SPARES_WANTED = 3, 2


class Count(msgspec.Struct, frozen=True):
    """What there is for one label in one language."""

    language: str
    label: str
    patterns: int
    fires: int
    spares: int


class Finding(msgspec.Struct, frozen=True):
    """A problem with the line of the file that it is about."""

    problem: Problem
    source: str

    def render(self) -> str:
        """As text of several lines: place, reason, the line with carets, fix."""
        problem = self.problem
        where = f"{problem.file}:{problem.line}" + (f":{problem.column}" if problem.column else "")
        lines = [f"{where}: {problem.severity}: {problem.reason}"]
        if self.source.strip():
            number = f"{problem.line:>5} | "
            margin = " " * (len(number) - 2) + "| "
            part, carets = underlined(self.source, max(0, problem.column - 1), max(1, problem.length))
            lines.append(number + part.rstrip())
            if problem.column:
                lines.append(margin + carets)
        return "\n".join([*lines, f"      = {problem.fix}"])


class Report(msgspec.Struct, frozen=True):
    """What ``check`` found, ordered by file and line, and what there is."""

    files: int
    findings: tuple[Finding, ...]
    counts: tuple[Count, ...]

    def of(self, severity: str) -> int:
        """How many problems are an ``error`` or a ``warning``."""
        return sum(finding.problem.severity == severity for finding in self.findings)


def check(
    sources: Sequence[tuple[str, str]],
    *,
    unreadable: Iterable[Problem] = (),
    cache: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Look at every file, pattern and example.

    ``unreadable``: what was wrong with files that are not among ``sources``; ``cache``: where compiled packs are kept;
    ``progress`` is told how many of how many patterns were tried.
    """
    found = packs.read(sources)
    problems = list(unreadable)
    for one in found:
        problems += one.problems
    patterns = [(one, pattern) for one in found for pattern in one.patterns]
    refused = list(_tried(patterns, progress))
    problems += [problem for _, problem in refused]
    bad = {name for name, _ in refused}
    sound = [(one, pattern) for one, pattern in patterns if pattern.name not in bad]
    problems += _repeated(sound)
    problems += _bytes(sound)
    problems += _few(sound)
    try:
        matcher = Matcher(packs.set_of(pattern for _, pattern in sound), cache)
    except PackError as error:
        problems.append(Problem(file=error.file, line=error.line, reason=error.reason, fix=error.fix))
    else:
        problems += _examples(sound, matcher)
    order = {file: index for index, (file, _) in enumerate(sources)}
    problems.sort(key=lambda p: (order.get(p.file, -1), p.file, p.line, p.column, p.severity, p.reason))
    lines = {one.file: one.lines for one in found}
    findings = [Finding(p, (lines.get(p.file, []) + [""] * p.line)[p.line - 1]) for p in problems]
    return Report(len(found), tuple(findings), _counts(pattern for _, pattern in patterns))


_Placed = Sequence[tuple[Read, Pattern]]


def _tried(patterns: _Placed, progress: Callable[[int, int], None]) -> Iterable[tuple[str, Problem]]:
    """Every expression compiled and searched with alone, within limits."""
    questions: list[probe.Question] = []
    about: list[tuple[Read, Pattern, str, int]] = []
    for one, pattern in patterns:
        questions.append(probe.Question(pattern.expression, True, pattern.fires[:4]))
        about.append((one, pattern, "pattern", -1))
        for index, unless in enumerate(pattern.unless):
            questions.append(probe.Question(unless, False))
            about.append((one, pattern, "unless", index))
    # Many patterns share an `unless`: each is tried once.
    different = list(dict.fromkeys(questions))
    answers = dict(
        zip(different, probe.measure(different, progress=lambda done: progress(done, len(different))), strict=True)
    )
    for question, (one, pattern, key, index) in zip(questions, about, strict=True):
        fault = _slow(answers[question])
        if fault is not None:
            which = "the pattern" if key == "pattern" else "an `unless`"
            reason = f"{which} of `{pattern.name}` {fault[0]}"
            yield pattern.name, one.problem(pattern.name, key, index, reason, fault[1])


def _slow(answer: probe.Answer) -> tuple[str, str] | None:
    if answer.failed:
        return answer.failed, "Write it with what Hyperscan knows, with smaller counts, or as several patterns."
    if answer.compile_s > probe.COMPILE_LIMIT_S:
        took = f"takes {answer.compile_s:.1f} s to compile (at most {probe.COMPILE_LIMIT_S:g})"
        return took, "Use smaller counts, or split it."
    if answer.database > probe.DATABASE_LIMIT:
        size, most = answer.database / 2**20, probe.DATABASE_LIMIT / 2**20
        return f"compiles to {size:.1f} MiB (at most {most:g})", "Use smaller counts, or split it."
    if answer.search_s > probe.SEARCH_LIMIT_S:
        took = (
            f"takes {answer.search_s:.2f} s on a long text such as {answer.text!r} (at most {probe.SEARCH_LIMIT_S:g})"
        )
        return took, "Let its repeats and alternatives match in one way only."
    return None


def _repeated(patterns: _Placed) -> Iterable[Problem]:
    """The same expression or the same example twice, and examples that two patterns expect otherwise."""
    known: dict[tuple[str, str, str, str], Pattern] = {}
    firing: dict[tuple[str, str, str], str] = {}
    for _, pattern in patterns:
        for text in pattern.fires:
            firing.setdefault((pattern.language, pattern.label, views(text).raw), pattern.name)
    for one, pattern in patterns:
        first = known.setdefault((pattern.language, pattern.label, pattern.who, _shape(pattern)), pattern)
        if first is not pattern and first.unless == pattern.unless:
            reason = f"`{pattern.name}` is the same pattern as `{first.name}` ({first.file}:{first.line})"
            yield one.problem(pattern.name, "pattern", -1, reason, "Keep one of them, with the examples of both.")
        for key, texts in (("fires", pattern.fires), ("spares", pattern.spares)):
            at: dict[str, int] = {}
            for index, text in enumerate(texts):
                raw = views(text).raw
                if raw in at:
                    line = one.place(pattern.name, key, at[raw])[0]
                    reason = f"the example {text!r} is listed twice (first in line {line})"
                    yield one.problem(pattern.name, key, index, reason, "Keep one, or write one of another form.")
                at.setdefault(raw, index)
                other = firing.get((pattern.language, pattern.label, raw)) if key == "spares" else None
                if other is not None:
                    reason = f"{text!r} is to be spared, and `{other}` lists it among what it fires on"
                    yield one.problem(pattern.name, key, index, reason, "Decide which, and take it from the other.")


def _bytes(patterns: _Placed) -> Iterable[Problem]:
    """Letters beyond ASCII are matched as several bytes: in a class, or before a count, only one of them counts."""
    for one, pattern in patterns:
        wrong = expressions.torn_letter(pattern.expression)
        if wrong:
            reason = f"in the pattern of `{pattern.name}`, {wrong!r} is matched byte by byte, not as a letter"
            fix = "Write alternatives, such as `(?:x|y)`; accents are folded away before matching, so most need none."
            yield one.problem(pattern.name, "pattern", -1, reason, fix, warning=True)


def _few(patterns: _Placed) -> Iterable[Problem]:
    for one, pattern in patterns:
        for key, texts, wanted in (
            ("fires", pattern.fires, FIRES_WANTED),
            ("spares", pattern.spares, SPARES_WANTED),
        ):
            if len(texts) < wanted:
                reason = f"`{pattern.name}` has {len(texts)} under `{key}`"
                yield one.problem(pattern.name, key, -1, reason, f"Give at least {wanted}.", warning=True)


def _examples(patterns: _Placed, matcher: Matcher) -> Iterable[Problem]:
    """Every example tried; and patterns that add nothing, because a stronger one fires on all of their examples."""
    contradicted = {
        (pattern.language, pattern.label, views(text).raw) for _, pattern in patterns for text in pattern.fires
    }
    also: dict[str, list[set[str]]] = {}
    for one, pattern in patterns:
        also[pattern.name] = []
        for index, text in enumerate(pattern.fires):
            names = {hit.pattern.name for hit in _hits(matcher, pattern, text)}
            if pattern.name not in names:
                reason = f"`{pattern.name}` does not fire on its own example {text!r}"
                yield one.problem(pattern.name, "fires", index, reason, _why_silent(pattern, text))
            also[pattern.name].append(names)
        for index, text in enumerate(pattern.spares):
            if (pattern.language, pattern.label, views(text).raw) in contradicted:
                continue  # said already: no pattern can serve both
            for hit in _hits(matcher, pattern, text):
                reason = f"{text!r} is to be spared, and `{hit.pattern.name}` fires on {text[hit.start : hit.end]!r}"
                fix = "Narrow that pattern, or call it off with an `unless`."
                yield one.problem(pattern.name, "spares", index, reason, fix)
    yield from _shadowed(patterns, also)


def _shadowed(patterns: _Placed, also: dict[str, list[set[str]]]) -> Iterable[Problem]:
    by_name = {pattern.name: pattern for _, pattern in patterns}
    shadows: dict[str, str] = {}
    for one, pattern in patterns:
        if not pattern.fires:
            continue
        for name in sorted(set.intersection(*also[pattern.name])):
            other = by_name[name]
            covers = other.who in (pattern.who, "anyone") and other.strength >= pattern.strength
            # That two are the same is said already; of two that shadow each other, one is named.
            said = _shape(other) == _shape(pattern) or shadows.get(name) == pattern.name
            if covers and not said:
                shadows[pattern.name] = name
                reason = f"`{name}` ({other.strength:g} nats) fires on every example of `{pattern.name}`"
                fix = "Give an example that only this one sees, or leave it out."
                yield one.problem(pattern.name, "id", -1, reason, fix, warning=True)
                break


def _shape(pattern: Pattern) -> str:
    """Equal for expressions that only differ in how they are written."""
    return repr(backtracking.parse(pattern.expression))


def _hits(matcher: Matcher, pattern: Pattern, text: str) -> list[Hit]:
    """What fires on a text, of the pattern's language and label, when one speaks who may show it."""
    seen = views(text)
    found: dict[str, Hit] = {}
    for who in ("viewer", "host") if pattern.who == "anyone" else (pattern.who,):
        for hit in matcher.scan(text, seen, who):
            if (hit.pattern.language, hit.pattern.label) == (pattern.language, pattern.label):
                found.setdefault(hit.pattern.name, hit)
    return list(found.values())


def _why_silent(pattern: Pattern, text: str) -> str:
    seen = views(text)
    for found in trace.trace([pattern], text, seen):
        if found.called_off:
            return f"Its `unless` `{found.called_off}` calls it off at {text[found.off_start : found.off_end]!r}."
    shown = " and ".join(repr(view) for view in trace.every_view(seen))
    return f"Mend the pattern or the example; it is read as {shown}."


def _counts(patterns: Iterable[Pattern]) -> tuple[Count, ...]:
    totals: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for pattern in patterns:
        total = totals[pattern.language, pattern.label]
        total[0] += 1
        total[1] += len(pattern.fires)
        total[2] += len(pattern.spares)
    return tuple(Count(language, label, *total) for (language, label), total in sorted(totals.items()))
