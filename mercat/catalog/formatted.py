"""Texts that may be formatted: made safe to show, and their plain words."""

import html
import re
from html.parser import HTMLParser
from typing import NamedTuple

import nh3

from mercat.kit.text import without_hidden


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|hr|html|i|iframe|img|li|link"
    r"|meta|ol|p|pre|s|script|section|small|span|strong|style|sub|sup|table|tbody|td|th|thead|tr|u|ul|video)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_UNREAD = _tags("script style iframe noscript template")
_LINES = _tags("br tr dt dd")
_BLOCKS = _tags("p div ul ol dl table blockquote pre section article header footer h1 h2 h3 h4 h5 h6 hr")
_BLANKS = re.compile(r"\n(?:\s*\n)+")
_HEADING = re.compile(r"<(/?)h[1-6](?=[\s>/])", re.IGNORECASE)
_ALLOWED = _tags(
    "a b blockquote br code dd dl dt em h3 hr i li ol p pre s small strong sub sup"
    " table tbody td th thead tr u ul"
)
_ATTRIBUTES = {"a": {"href"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}}
_SCHEMES = {"http", "https", "mailto"}


class Formatted(NamedTuple):
    """A text's plain words, and what a page shows of it where it is formatted: safe HTML."""

    words: str
    html: str | None = None


def formatted(text: str) -> Formatted:
    """Read a text that may be HTML: what is not on the allow-list goes, scripts and styles with all in them.

    Every heading is an `h3`, since it stands within a page that has its own. What is safe stays as it is, so
    the same text again is the same."""
    text = plain_text(text)
    if "<" not in text or not _TAG.search(text):
        return Formatted(entities(text))
    safe = nh3.clean(
        _HEADING.sub(r"<\1h3", text),
        tags=set(_ALLOWED),
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="nofollow noopener ugc",
        clean_content_tags={*_UNREAD, "title", "svg", "math", "object"},
    ).strip()
    words = html_text(safe)
    return Formatted(words, safe if words and "<" in safe else None)


def source_of(words: str, safe: str | None) -> str:
    """Write a text as its seller gives it: read again it is what it was."""
    return safe or (html.escape(words, quote=False) if _TAG.search(words) else line_source(words))


def line_source(text: str) -> str:
    """Write a text that never is HTML so that it is the same once its entities are decoded."""
    return text.replace("&", "&amp;") if _ENTITY.search(text) else text


def plain_text(value: str) -> str:
    """Trim a text, without the characters that no text of a shop has."""
    return without_hidden(value).strip()


def entities(text: str) -> str:
    """Decode what HTML writes by name or number: "Tom &amp;amp; Jerry" is "Tom & Jerry"."""
    return plain_text(_ENTITY.sub(lambda found: html.unescape(found.group()), text)) if "&" in text else text


def html_text(text: str) -> str:
    """Turn HTML into plain text: tags go, blocks and list items stand on lines of their own.

    Scripts and styles are left out. A text without tags of HTML only has its entities decoded."""
    if "<" not in text or not _TAG.search(text):
        return entities(text)
    reader = _HtmlText()
    reader.feed(text)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).split("\n"))
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip()


class _HtmlText(HTMLParser):
    """Collects the text of HTML, with line ends where blocks begin and end."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line for a block, and leave out what is not text."""
        if tag in _UNREAD:
            self._unread += 1
        self.parts.append(
            "\n- " if tag == "li" else "\n" if tag in _LINES else "\n\n" if tag in _BLOCKS else ""
        )

    def handle_endtag(self, tag: str) -> None:
        """End the line of a block."""
        if tag in _UNREAD:
            self._unread = max(0, self._unread - 1)
        self.parts.append(" " if tag in ("td", "th") else "\n\n" if tag in _BLOCKS else "")

    def handle_data(self, data: str) -> None:
        """Keep text, whose own line ends are only spaces in HTML."""
        if not self._unread:
            self.parts.append(re.sub(r"\s+", " ", data))
