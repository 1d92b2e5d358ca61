"""Newsletter items, the digest of a platform's own month, what a class learnt, and the commands around them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from upstander.cli.teach import command
from upstander.journal import store
from upstander.journal.entries import Entry, Kind
from upstander.model.decision import Decision, encode_decision
from upstander.model.vocabulary import Tactic
from upstander.teach import digest, learning, newsletter
from upstander.teach.export.email import as_html, as_text
from upstander.teach.lessons import find, shipped
from upstander.teach.reading import TeachError

TODAY = date(2026, 11, 25)
NOVEMBER = date(2026, 11, 1)
T = Tactic


def item(audience: str = "parents", country: str = "GB", language: str = "en", **more: Any) -> newsletter.Item:
    topic = newsletter.topic_of(newsletter.shipped(), NOVEMBER, language)
    return newsletter.compose(topic, newsletter.Audience(audience), NOVEMBER, country, today=TODAY, **more)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(command, [str(each) for each in arguments], standalone_mode=False)


# -- newsletter ----------------------------------------------------------------------------------------------------


def test_an_item_has_the_pattern_with_a_figure_its_limits_its_source_and_four_to_six_actions() -> None:
    document = item().document
    assert [part.key for part in document.parts] == ["what", "why", "figure", "risks", "actions", "help"]
    value, limits, source = (block.text for block in document.part("figure").blocks)
    assert "2,082" in value
    assert "recordings that were found" in limits
    assert "Internet Watch Foundation (2018)" in source
    assert 4 <= len(document.part("actions").blocks[0].items) <= 6
    assert item("staff").document.part("actions") != document.part("actions")


def test_places_of_help_and_language_follow_what_was_asked() -> None:
    assert "Childline" in as_text(item().document)
    spanish = as_text(item(country="ES", language="es").document)
    assert "ANAR" in spanish
    assert "noviembre de 2026" in spanish


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_month_has_an_item_and_every_post_fits_where_it_goes(month: int, language: str) -> None:
    when = date(2026, month, 1)
    topic = newsletter.topic_of(newsletter.shipped(), when, language)
    made = newsletter.compose(topic, newsletter.Audience.PARENTS, when, today=TODAY)
    assert set(made.posts) == set(newsletter.POST_LIMITS)
    for place, text in made.posts.items():
        assert 0 < len(text) <= newsletter.POST_LIMITS[place]


def test_an_item_past_its_review_or_with_a_figure_past_its_is_refused() -> None:
    topic = newsletter.topic_of(newsletter.shipped(), NOVEMBER, "en")
    fresh = msgspec.structs.replace(topic, front=msgspec.structs.replace(topic.front, review_by=date(2030, 1, 1)))
    late = date(2027, 11, 26)
    with pytest.raises(TeachError, match=r"pressure\.md was to be reviewed"):
        newsletter.compose(topic, newsletter.Audience.PARENTS, NOVEMBER, today=late)
    with pytest.raises(TeachError, match=r"the figure 'iwf-2018-young' was to be reviewed"):
        newsletter.compose(fresh, newsletter.Audience.PARENTS, NOVEMBER, today=late)


def test_a_post_that_is_too_long_everywhere_is_refused() -> None:
    topic = newsletter.shipped()["en", "pressure"]
    long = msgspec.structs.replace(topic, texts=topic.texts | {"post": "x" * 161, "post_long": "y" * 501})
    with pytest.raises(TeachError, match="sms takes 160"):
        newsletter.posts_of(long, "https://example.org")


def test_the_mail_loads_nothing_and_its_text_is_wrapped() -> None:
    html = as_html(item(seen="<b>not markup</b>").document)
    assert "<img" not in html
    assert "src=" not in html
    assert "<link" not in html
    assert "&lt;b&gt;not markup" in html
    assert max(len(line) for line in as_text(item().document).splitlines() if "https://" not in line) <= 76


def test_the_command_writes_mail_text_docx_and_posts(tmp_path: Path) -> None:
    asked = ("newsletter", "--month", "2026-11", "--country", "GB", "--today", "2026-11-25", "--out", tmp_path)
    assert run(*asked).exit_code == 0
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".docx", ".html", ".txt", ".txt"]
    assert "of 160 characters" in (tmp_path / "newsletter-2026-11-parents-en.posts.txt").read_text(encoding="utf-8")
    refused = run("newsletter", "--month", "2026-11", "--today", "2029-01-01", "--out", tmp_path)
    assert refused.exit_code != 0
    assert "was to be reviewed" in str(refused.exception)


# -- digest --------------------------------------------------------------------------------------------------------


def journal(path: Path, broadcasts: int, tactics: dict[Tactic, int]) -> Any:
    """A journal of one month: so many broadcasts, the first of them with each tactic."""
    connection = store.open_store(path)
    at = int(datetime(2026, 10, 15, tzinfo=UTC).timestamp() * 1000)
    entries = []
    for number in range(broadcasts):
        name = f"b{number}"
        entries.append(Entry(Kind.EVENT, b"{}", at, "mysite", name, number))
        shown = tuple(tactic for tactic, count in tactics.items() if number < count)
        decision = Decision("e", name, "v", at, "notice", shown, (), (), 1.0, 1.0, (), {})
        entries.append(Entry(Kind.DECISION, encode_decision(decision), at, "mysite", name, number))
    entries.append(Entry(Kind.EVENT, b"{}", at, "other", "elsewhere", 9_999))
    store.write(connection, store.head(connection), entries, ())
    return connection


ALLOWED = digest.Permission("Ada, head of safety", TODAY)


def test_a_digest_counts_broadcasts_and_withholds_what_is_small_or_nearly_all(tmp_path: Path) -> None:
    connection = journal(tmp_path / "j.sqlite", 60, {T.DARE: 20, T.GIFT_LURE: 31, T.THREAT: 4, T.PRAISE_HOOK: 58})
    made = digest.make(connection, "mysite", date(2026, 10, 1), ALLOWED)
    assert made.tactics == {T.GIFT_LURE: 31, T.DARE: 20}
    assert set(made.withheld) == {T.THREAT, T.PRAISE_HOOK}
    assert made.broadcasts == 60
    told = digest.sentence(made, "en")
    assert "A gift with a string in 31, A pushy dare in 20" in told
    assert "below 5 are withheld" in told
    assert told in as_text(item(seen=told).document).replace("\n", " ")


def test_too_few_broadcasts_make_no_digest_and_another_month_is_not_counted(tmp_path: Path) -> None:
    connection = journal(tmp_path / "j.sqlite", digest.FEWEST_BROADCASTS - 1, {T.DARE: 20})
    for month in (date(2026, 10, 1), date(2026, 12, 1)):
        with pytest.raises(TeachError, match="fewer than 50 broadcasts"):
            digest.make(connection, "mysite", month, ALLOWED)


def test_a_digest_that_was_changed_to_show_a_small_count_is_refused(tmp_path: Path) -> None:
    made = digest.Digest("mysite", "2026-10", 60, {T.DARE: 3}, (), ALLOWED)
    path = tmp_path / "digest.json"
    path.write_bytes(msgspec.json.encode(made))
    with pytest.raises(TeachError, match="too small to be shown"):
        digest.read(path)
    path.write_bytes(b"{}")
    with pytest.raises(TeachError, match="no digest"):
        digest.read(path)


def test_the_digest_command_needs_a_permission_and_feeds_the_newsletter(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    journal(tmp_path / "data" / "journal.sqlite", 60, {T.DARE: 20}).close()
    asked = ("digest", "--data", tmp_path / "data", "--platform", "mysite", "--month", "2026-10")
    out = tmp_path / "digest.json"
    assert "permission" in str(run(*asked, "--out", out).exception).lower()
    result = run(*asked, "--permission", "Ada, head of safety", "--out", out)
    assert result.exit_code == 0, result.exception
    assert json.loads(out.read_text(encoding="utf-8"))["permission"]["by"] == "Ada, head of safety"
    news = run("newsletter", "--month", "2026-11", "--today", "2026-11-25", "--digest", out, "--out", tmp_path)
    assert news.exit_code == 0
    assert "A pushy dare in 20" in (tmp_path / "newsletter-2026-11-parents-en.html").read_text(encoding="utf-8")


# -- learning ------------------------------------------------------------------------------------------------------

LESSON = find(shipped(), "11-13-audience", "en")
KEY = [question.answer for question in LESSON.front.questions]


def sheets(pupils: int = 24) -> str:
    """A made-up class: before, each is right in one or two; after, in two to four."""
    lines = ["code,when," + ",".join(question.id for question in LESSON.front.questions)]
    for pupil in range(pupils):
        for when, right in (("before", 1 + pupil % 2), ("after", 2 + pupil % 3)):
            given = [answer if at < right else answer % 3 + 1 for at, answer in enumerate(KEY)]
            lines.append(f"word{pupil},{when}," + ",".join(map(str, given)))
    return "\n".join(lines)


def test_scores_change_and_interval_are_those_of_the_paired_t_test() -> None:
    report = learning.assess(learning.read_sheets(sheets(), LESSON), LESSON)
    first = np.array([(1 + n % 2) / 4 for n in range(24)])
    second = np.array([(2 + n % 3) / 4 for n in range(24)])
    expected = stats.ttest_rel(second, first).confidence_interval(0.95)
    assert report.pairs == 24
    assert report.change == pytest.approx((second - first).mean(), abs=1e-12)
    assert (report.change_low, report.change_high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert report.effect_low is not None
    assert report.effect is not None
    assert report.effect_high is not None
    assert report.effect_low < report.effect < report.effect_high
    assert "word" not in msgspec.json.encode(report).decode()


def test_hedges_g_is_that_of_a_textbook() -> None:
    # By hand: means 2 and 4, variances 1 and 1, n = 3: (4 - 2) / 1 * (1 - 3 / (4 * 2 - 1)).
    assert learning.hedges_g(np.array([1.0, 2, 3]), np.array([3.0, 4, 5])) == pytest.approx(2 * 4 / 7, abs=1e-12)


def test_items_say_who_chose_what_and_how_well_a_question_tells_pupils_apart() -> None:
    report = learning.assess(learning.read_sheets(sheets(), LESSON), LESSON)
    first, third = report.items[0], report.items[2]
    assert first.after.right == 24
    assert first.discrimination is None
    assert third.after.right == 16
    assert third.discrimination is not None
    assert third.discrimination > 0
    assert sum(third.options) == 24


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("code,when", "name,when"), "no column code"),
        (lambda text: text.replace("word3,before", "word2,before"), "field code: it comes twice"),
        (lambda text: text.replace("word0,before", "word0,later"), "row 2, field when"),
        (lambda text: text.replace("word0,before,2", "word0,before,9"), "row 2, field stranger"),
        (lambda text: "\n".join(text.splitlines()[:7]), "with fewer than 10"),
    ],
)
def test_sheets_that_cannot_be_used_are_refused_with_row_and_field(change: Any, message: str) -> None:
    with pytest.raises(TeachError, match=message):
        learning.assess(learning.read_sheets(change(sheets()), LESSON), LESSON)


def test_a_class_that_does_not_differ_has_no_effect_size() -> None:
    same = {when: {f"p{n}": list(KEY) for n in range(12)} for when in learning.WHEN}
    report = learning.assess(same, LESSON)
    assert (report.change, report.effect, report.effect_low) == (0, None, None)


def test_the_learning_command_prints_the_limits(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(sheets(), encoding="utf-8")
    shown = run("learning", "11-13-audience", path)
    assert shown.exit_code == 0
    assert "There is no class without the lesson" in shown.output
    assert json.loads(run("learning", "11-13-audience", path, "--json").output)["pairs"] == 24


# -- other commands ------------------------------------------------------------------------------------------------


def test_list_show_check_export_and_validate_work(tmp_path: Path) -> None:
    assert len(json.loads(run("list", "--json").output)) == 18
    assert "Report Remove" in run("show", "14-16-captures", "--country", "GB", "--markdown").output
    checked = run("check", "--today", "2026-11-25", "--json")
    assert (checked.return_value, json.loads(checked.output)["faults"]) == (0, [])
    assert run("check", "--today", "2029-01-01").return_value == 1
    out = tmp_path / "lesson.zip"
    assert run("export", "8-10-attention", "--format", "scorm", "--out", out).exit_code == 0
    assert run("validate", out).return_value == 0
    out.write_bytes(b"nothing")
    assert run("validate", out).return_value == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "no-such-lesson"), "there is no lesson 'no-such-lesson'"),
        (("show", "8-10-attention", "--country", "XX"), "no places of help are listed for 'XX'"),
        (("list", "--language", "xx"), "there are no lessons in 'xx'"),
        (("newsletter", "--topic", "none"), "there is no topic 'none'"),
        (("newsletter", "--out", "/no/such/folder"), "there is no folder"),
        (("export", "staff-briefing", "--handout", "parents"), "has no parents handout"),
        (("serve", "--language", "xx"), "no words in 'xx'"),
    ],
)
def test_errors_name_the_input_and_the_fix(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert message in str(result.exception)
