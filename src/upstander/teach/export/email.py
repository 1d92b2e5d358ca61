"""A document as an HTML e-mail and as plain text. Mail programs want tables and styles in place; nothing is loaded."""

from __future__ import annotations

import textwrap
from html import escape

from upstander.teach import palette
from upstander.teach.document import Block, Document, Part

FONT = "font-family:Verdana,'DejaVu Sans',Arial,sans-serif"
_HEADING = f"margin:22px 0 6px;font-size:18px;line-height:1.3;color:{palette.BRAND}"
_TEXT = f"margin:0 0 10px;font-size:16px;line-height:1.55;color:{palette.INK}"
WIDTH = 76


def as_html(document: Document) -> str:
    """A whole HTML page for a mail program: one column, 600 px at most, readable without pictures."""
    parts = "\n".join(_part(part) for part in document.parts)
    table = '<table role="presentation" cellpadding="0" cellspacing="0"'
    column = f"width:100%;max-width:600px;background:{palette.PAPER}"
    return f"""<!doctype html>
<html lang="{document.language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light"><title>{escape(document.title)}</title></head>
<body style="margin:0;padding:0;background:{palette.TINT};{FONT}">
{table} style="width:100%;background:{palette.TINT}"><tr><td align="center" style="padding:16px 8px">
{table} style="{column}">
<tr><td style="background:{palette.BRAND};padding:22px 24px">
<h1 style="margin:0;font-size:25px;line-height:1.25;color:{palette.PAPER}">{escape(document.title)}</h1>
<p style="margin:6px 0 0;font-size:15px;color:{palette.PAPER}">{escape(document.subtitle)}</p></td></tr>
<tr><td style="padding:4px 24px 20px">
{parts}
<p style="margin:22px 0 0;font-size:13px;line-height:1.5;color:{palette.SOFT}">{escape(document.small_print)}</p>
</td></tr></table></td></tr></table>
</body></html>
"""


def _part(part: Part) -> str:
    inside = "\n".join(_block(block) for block in part.blocks)
    heading = f'<h2 style="{_HEADING}">{escape(part.title)}</h2>'
    if part.key in ("figure", "help"):
        ground = palette.SUN if part.key == "figure" else palette.TINT
        box = f"background:{ground};padding:2px 18px 8px;margin:20px 0 0"
        return f'<div style="{box}">\n{heading}\n{inside}\n</div>'
    return f"{heading}\n{inside}"


def _block(block: Block) -> str:
    if block.kind == "heading":
        return f'<h3 style="margin:14px 0 4px;font-size:16px;color:{palette.INK}">{escape(block.text)}</h3>'
    if block.kind == "paragraph":
        return f'<p style="{_TEXT}">{escape(block.text)}</p>'
    name = "ol" if block.kind == "numbers" else "ul"
    items = "\n".join(f'<li style="{_TEXT}">{escape(item)}</li>' for item in block.items)
    return f'<{name} style="margin:0;padding-left:22px">\n{items}\n</{name}>'


def as_text(document: Document) -> str:
    """Plain text, wrapped."""
    lines = [document.title.upper(), document.subtitle, ""]
    for part in document.parts:
        lines += [part.title, "-" * len(part.title)]
        for block in part.blocks:
            if block.kind in ("heading", "paragraph"):
                lines += [*textwrap.wrap(block.text, WIDTH, break_on_hyphens=False), ""]
                continue
            for number, item in enumerate(block.items, 1):
                mark = f"{number}. " if block.kind == "numbers" else "- "
                lines += textwrap.wrap(
                    item, WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False,
                    break_long_words=False,
                )  # fmt: skip
            lines.append("")
    return "\n".join([*lines, *textwrap.wrap(document.small_print, WIDTH), ""])
