"""Text as people type it, brought into one form before it is compared or kept."""

import unicodedata

_ZERO_WIDTH = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show nothing: the fillers of Hangul and the empty pattern of Braille."""


def normal_text(text: str) -> str:
    """Compose (Unicode NFC) and trim a text; empty where nothing of it can be seen."""
    text = unicodedata.normalize("NFC", text).strip().strip(_ZERO_WIDTH).strip()
    return text if any(_is_visible(each) for each in text) else ""


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CMZ" and character not in _BLANK
