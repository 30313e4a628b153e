"""Text as people type it, brought into one form before it is compared or kept.

`LINE` and its sisters are patterns for the types of messages: text in which nothing hides. Control characters
and those that turn the direction of writing make a text look like another one, so none is taken.
"""

import re
import unicodedata

_ZERO_WIDTH = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show nothing: the fillers of Hangul and the empty pattern of Braille."""
_TURNING = r"\u202a-\u202e\u2066-\u2069"
_HIDDEN = rf"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029{_TURNING}\ufff9-\ufffb"
_HIDDEN_IN_PROSE = rf"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_TURNING}\ufff9-\ufffb"
_UNSEEN = (
    r"\s\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
)
_SEEN = rf"(?=[\s\S]*[^{_UNSEEN}])"
_END = r"(?![\s\S])"

HIDDEN = rf"[{_HIDDEN}]"
"""A character that may not hide in a line of text."""
LINE = rf"^[^{_HIDDEN}]*{_END}"
"""A line of text, which may be empty."""
SEEN_LINE = rf"^{_SEEN}[^{_HIDDEN}]*{_END}"
"""A line of text of which something can be seen: a name, a title."""
PROSE = rf"^[^{_HIDDEN_IN_PROSE}]*{_END}"
"""Lines of text, which may be empty."""
SEEN_PROSE = rf"^{_SEEN}[^{_HIDDEN_IN_PROSE}]*{_END}"
"""Lines of text of which something can be seen."""

_HIDES = re.compile(f"[{_HIDDEN_IN_PROSE}]")
_GOES = frozenset("\0\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufff9\ufffa\ufffb")

_WORDS: dict[str, str] = {
    LINE: "A text has no control characters, and none that turn the direction of writing.",
    PROSE: "A text has no control characters, and none that turn the direction of writing.",
    SEEN_LINE: "Write something that can be seen, without control characters.",
    SEEN_PROSE: "Write something that can be seen, without control characters.",
}


_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_PLAIN: list[tuple[str, str]] = [
    (r"Object missing required field `(.*)`", r"`\1` is missing."),
    (r"Expected `str` of length >= 1", "Write something here."),
    (r"Expected `str` of length >= (.*)", r"Write at least \1 characters."),
    (r"Expected `str` of length <= (.*)", r"Write at most \1 characters."),
    (r"Expected `(?:array|object)` of length >= (.*)", r"Name at least \1."),
    (r"Expected `(?:array|object)` of length <= (.*)", r"Name at most \1."),
    (r"Expected `int` >= (.*)", r"Give a whole number of at least \1."),
    (r"Expected `int` <= (.*)", r"Give a whole number of at most \1."),
    (r"Expected `float` >= (.*)", r"Give a number of at least \1."),
    (r"Expected `float` <= (.*)", r"Give a number of at most \1."),
    (r"Expected `(?:int|float)` > (.*)", r"Give a number above \1."),
    (r"Expected `(?:int|float)` < (.*)", r"Give a number below \1."),
    (r"Invalid enum value (.*)", r"\1 is none of what can stand here; /api/v1/docs lists it."),
    (r"Invalid RFC3339 encoded datetime", "Write a time as in 2026-11-30T12:00:00Z."),
    (r"Invalid RFC3339 encoded date", "Write a day as in 2026-11-30."),
    (r"'utf-8' codec .*", "This is not UTF-8."),
    (r"Expected `str` matching regex .*", "This is not written as it has to be; /api/v1/docs says how."),
]
"""What a decoder says of a value, as a pattern, and the same for people."""


def with_words(pattern: str, words: str) -> str:
    """Answer the pattern of a text, once it is known how people are told of it."""
    _WORDS[pattern] = words
    return pattern


def plain_problem(problem: str) -> str:
    """Say in plain words what a decoder says of a value: what is wrong with it, and what to do."""
    for pattern, words in _WORDS.items():
        if repr(pattern) in problem:
            return words
    if found := re.fullmatch(r"Expected `(.*)`, got `(.*)`", problem):
        wanted, got = (
            " or ".join(_KINDS.get(kind, kind) for kind in each.split(" | ")) for each in found.groups()
        )
        return f"Give {wanted} here, not {got}."
    for pattern, words in _PLAIN:
        if found := re.fullmatch(pattern, problem):
            return found.expand(words)
    return problem


def normal_text(text: str) -> str:
    """Compose (Unicode NFC) and trim a text; empty where nothing of it can be seen."""
    text = unicodedata.normalize("NFC", text).strip().strip(_ZERO_WIDTH).strip()
    return text if any(_is_visible(each) for each in text) else ""


def as_seen(text: str) -> str:
    """Bring a text into the form in which two that look the same are the same but for their case: compatible
    forms (NFKC), without what has no width."""
    text = unicodedata.normalize("NFKC", text)
    return normal_text("".join(each for each in text if each not in _ZERO_WIDTH))


def normal_code(text: str) -> str:
    """Bring a code that people type into the form it is compared in: compatible forms (NFKC), no case, no
    blanks around it. Nothing is kept of it: addresses of people come here too."""
    if text.isascii() and text.isprintable():
        return text.strip().lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", normal_text(text)).casefold()).strip()


def seen_line(text: str) -> str:
    """Make one line of a text, without what a line may not hide; empty where nothing of it can be seen."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    line = re.sub(HIDDEN, "", " ".join(text.split()))
    return line if re.search(SEEN_LINE, line) else ""


def without_hidden(text: str) -> str:
    """Remove what no text of a shop has: NUL and the signs that turn the direction of writing; other control
    characters are blanks. Files of other shops and spreadsheets are full of them."""
    if text.isprintable():
        return text
    return _HIDES.sub(lambda found: "" if found[0] in _GOES else " ", text)


def is_line(text: str) -> bool:
    """Say whether nothing hides in a line of text."""
    return re.search(LINE, text) is not None


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CMZ" and character not in _BLANK
