"""``upstander teach export``, ``validate`` and ``newsletter``: files for schools and their own systems."""

# ruff: noqa: PLC0415 - what a format needs is imported when it is asked for
from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from upstander.cli.common import Mistake, print_json
from upstander.cli.teach_common import country_option, language_option, mistakes, today_option, write
from upstander.teach import lessons as lesson_files

HANDOUTS = ("teacher", "pupil", "parents", "disclosure")
FORMATS = ("pdf", "docx", "pptx", "cards", "scorm", "xapi", "cartridge")
_SUFFIX = {"cards": "pdf", "scorm": "zip", "xapi": "zip", "cartridge": "imscc"}


@click.command("export")
@click.argument("lesson")
@click.option("--format", "form", type=click.Choice(FORMATS), default="pdf", show_default=True)
@click.option(
    "--handout", type=click.Choice(HANDOUTS), default="teacher", show_default=True, help="Which pages (pdf and docx)."
)
@click.option("--paper", type=click.Choice(["a4", "letter"]), default="a4", show_default=True)
@language_option
@country_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: LESSON-WHAT.SUFFIX, here.")
def export_command(
    lesson: str, form: str, handout: str, paper: str, language: str, country: str, out: Path | None
) -> None:
    """Write a lesson as a file: PDF handouts, DOCX to change, PPTX slides, cards to cut, SCORM 1.2 or xAPI package,
    Common Cartridge."""
    with mistakes():
        found = lesson_files.find(lesson_files.shipped(), lesson, language)
        data = render(found, form, handout, paper, country)
    what = handout if form in ("pdf", "docx") else form
    path = out or Path(f"{lesson}-{language}-{what}.{_SUFFIX.get(form, form)}")
    write(path, data)
    click.echo(f"{path} ({len(data):,} bytes)")


def render(lesson: lesson_files.Lesson, form: str, handout: str, paper: str, country: str) -> bytes:
    """The file's bytes. Only what the format needs is imported."""
    from upstander.teach.document import document_of

    document = document_of(lesson, country)
    if form == "pptx":
        from upstander.teach.export.slides import as_pptx

        return as_pptx(lesson, document, country)
    if form in ("scorm", "xapi"):
        from upstander.teach.export import package

        return (package.as_scorm if form == "scorm" else package.as_xapi)(lesson, document, country)
    if form == "cartridge":
        from upstander.teach.export.cartridge import as_cartridge

        return as_cartridge(lesson, document, country)
    if form == "cards":
        from upstander.teach.export.typeset import cards_as_pdf

        return cards_as_pdf(lesson, paper)
    chosen = document.only(handout)
    # Places of help alone are no handout.
    if all(part.key == "help" for part in chosen.parts):
        raise Mistake(f"the lesson {lesson.front.id!r} has no {handout} handout.")
    if form == "docx":
        from upstander.teach.export.word import as_docx

        return as_docx(chosen, paper)
    from upstander.teach.export.typeset import as_pdf

    return as_pdf(chosen, paper)


@click.command("validate")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--schemas",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with SCORM 1.2's XSDs (imscp_rootv1p1p2.xsd, adlcp_rootv1p2.xsd, …) to check manifests with.",
)
@click.option("--json", "as_json", is_flag=True)
def validate_command(files: tuple[Path, ...], schemas: Path | None, as_json: bool) -> int:
    """Check packages and documents: whole, well-formed, consistent, and loading nothing from elsewhere.

    Exit status 1 when something is wrong.
    """
    with mistakes():
        from upstander.teach.export.validate import faults_of

        found = {str(path): faults_of(path.read_bytes(), schemas) for path in files}
    if as_json:
        print_json(found)
    else:
        for path, faults in found.items():
            click.echo(f"{path}: {'no fault' if not faults else f'{len(faults)} faults'}")
            for fault in faults:
                click.echo(f"  {fault}")
    return 1 if any(found.values()) else 0


@click.command("newsletter")
@click.option("--audience", type=click.Choice(["parents", "staff"]), default="parents", show_default=True)
@click.option("--month", type=click.DateTime(["%Y-%m"]), help="YYYY-MM. Default: this month.")
@click.option("--topic", default="", help="A topic by name instead of the month's.")
@click.option("--digest", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="See `teach digest`.")
@language_option
@country_option
@today_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder to write to. Default: here.",
)
def newsletter_command(
    audience: str,
    month: date | None,
    topic: str,
    digest: Path | None,
    language: str,
    country: str,
    today: date,
    out: Path,
) -> None:
    """Write an item for a school's newsletter: HTML e-mail, plain text, DOCX, and short posts within their limits.

    A figure or a text whose review is past is refused until someone has checked it again.
    """
    when = date(month.year, month.month, 1) if month else today.replace(day=1)
    with mistakes():
        from upstander.teach import digest as digests
        from upstander.teach import newsletter as news
        from upstander.teach.export.email import as_html, as_text
        from upstander.teach.export.word import as_docx

        chosen = news.topic_of(news.shipped(), when, language, topic)
        seen = digests.sentence(digests.read(digest), language) if digest else ""
        item = news.compose(chosen, news.Audience(audience), when, country, today=today, seen=seen)
        files = {
            "html": as_html(item.document).encode(),
            "txt": as_text(item.document).encode(),
            "docx": as_docx(item.document),
            "posts.txt": "".join(
                f"[{place}, {len(text)} of {news.POST_LIMITS[place]} characters]\n{text}\n\n"
                for place, text in item.posts.items()
            ).encode(),
        }
    if not out.is_dir():
        raise Mistake(f"there is no folder {out}. Make it, or name another with --out.")
    for suffix, data in files.items():
        path = out / f"newsletter-{when:%Y-%m}-{audience}-{language}.{suffix}"
        write(path, data)
        click.echo(str(path))
