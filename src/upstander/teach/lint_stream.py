"""What scripts, newsletter topics and figures must be: reviewed, sourced, calm, easy to read, one for every month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from upstander.nudge import readability
from upstander.nudge.cards import shipped as shipped_cards
from upstander.nudge.lint import Fault
from upstander.nudge.lint import Lint as CardLint
from upstander.teach import newsletter
from upstander.teach.bands import Band, bound, within
from upstander.teach.lessons import Lessons
from upstander.teach.lint import FIRST, READER_RULES, prose, review_faults
from upstander.teach.reading import TeachError
from upstander.teach.scripts import Script, Scripts
from upstander.teach.statistics import FILE, Statistic, quotable


class StreamLint:
    """Checks scripts, topics and figures. ``today`` decides whether a review is still good."""

    def __init__(self, today: date) -> None:
        self.today = today
        self._cards = CardLint(shipped_cards(), today)

    def of_scripts(self, scripts: Scripts, lessons: Lessons) -> Iterator[Fault]:
        """What is wrong with scripts, and which scripts of lessons are missing."""
        for (_, name), script in scripts.items():
            path, story = script.path, script.story
            for found in (*review_faults(story.reviewed_on, story.review_by, self.today), *self._script(script)):
                yield Fault(path, story.band.years, *found)
            first = scripts.get((FIRST, name))
            if first is None or _shape(first) != _shape(script):
                message = f"events, annotations or points differ from {FIRST}/{name}. Bring it up to date."
                yield Fault(path, story.band.years, "translation", message)
            if story.benign and any(step.teaching.shows for step in script.steps):
                yield Fault(path, story.band.years, "annotation", "a benign script shows a tactic.")
        for (language, _), lesson in lessons.items():
            for name in lesson.front.scripts:
                if (language, name) not in scripts:
                    yield Fault(lesson.path, "", "script", f"there is no script {name!r} in {language!r}.")

    def _script(self, script: Script) -> Iterator[tuple[str, str]]:
        story = script.story
        shown = {str(tactic) for step in script.steps for tactic in step.teaching.shows}
        if missing := sorted(shown - set(story.tags)):
            yield "tags", f"{', '.join(missing)} is annotated, but pupils cannot choose it."
        lines = [story.intro, *story.debrief]
        for point in story.points:
            lines += [point.ask, *(outcome.then for outcome in point.choices.values())]
        yield from self._read_by(prose(lines), story.language, story.band)

    def of_topics(self, topics: newsletter.Topics, statistics: dict[str, Statistic]) -> Iterator[Fault]:
        """What is wrong with newsletter topics: reviews, figures, actions, posts, and months without one."""
        months: dict[str, list[int]] = {}
        for (language, _), topic in topics.items():
            front = topic.front
            months.setdefault(language, []).extend(front.months)
            for found in (*review_faults(front.reviewed_on, front.review_by, self.today), *self._topic(topic)):
                yield Fault(topic.path, language, *found)
            try:
                quotable(statistics, front.statistic, language, self.today)
                newsletter.posts_of(topic, "")
            except TeachError as error:
                yield Fault(topic.path, language, "figure or post", str(error))
        for language, found_months in months.items():
            if sorted(found_months) != list(range(1, 13)):
                message = f"{language}: the topics' months are {sorted(found_months)}; each of 1 to 12 comes once."
                yield Fault(next(iter(topics.values())).path.parent, language, "months", message)

    def _topic(self, topic: newsletter.Topic) -> Iterator[tuple[str, str]]:
        if not topic.front.sources:
            yield "sources", "none is named."
        for audience in newsletter.Audience:
            count = len(newsletter.actions_of(topic, audience))
            if not newsletter.FEWEST_ACTIONS <= count <= newsletter.MOST_ACTIONS:
                bounds = f"{newsletter.FEWEST_ACTIONS} to {newsletter.MOST_ACTIONS}"
                yield "actions", f"{count} for {audience}; {bounds} are read and done."
        for_parents = [text for name, text in topic.texts.items() if name != "actions_staff"]
        lines = [line for text in for_parents for line in text.splitlines()]
        yield from self._read_by(prose(lines), topic.front.language, Band.PARENTS)

    def of_statistics(self, statistics: dict[str, Statistic]) -> Iterator[Fault]:
        """What is wrong with figures."""
        for figure in statistics.values():
            for found in review_faults(figure.reviewed_on, figure.review_by, self.today):
                yield Fault(FILE, figure.id, *found)
            for language, text in figure.text.items():
                if figure.value not in text:
                    yield Fault(FILE, figure.id, "value", f"the text in {language!r} does not say {figure.value}.")
                if not figure.limits.get(language):
                    yield Fault(FILE, figure.id, "limits", f"no limits in {language!r}. No figure goes out without.")

    def _read_by(self, text: str, language: str, band: Band) -> Iterator[tuple[str, str]]:
        for rule, message in self._cards.of_text(text, language):
            if rule in READER_RULES or rule == "wording":
                yield rule, message
        if bound(language, band) is not None and readability.available():
            value = readability.measure(text, language)
            if not within(value, language, band):
                name, limit = readability.MEASURES[language].name, bound(language, band)
                yield "reading", f"{name} is {value}; the bound for {band.years} is {limit:g}. Use shorter sentences."


def _shape(script: Script) -> object:
    story = script.story
    steps = [(type(step.event), step.teaching) for step in script.steps]
    points = [(each.after, {choice: done.mood for choice, done in each.choices.items()}) for each in story.points]
    return steps, points, story.band, story.benign, story.host, story.tags, story.version, len(story.debrief)
