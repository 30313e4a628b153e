"""The named statements of an engine, and the pieces that they are put together from."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_HEADING = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
OF_A_DAY = {"looked": "on_the_day", "looked_after": "on_the_day"}
"""The pieces by which a day's searches are written down."""
_PIECE = re.compile(r"\{(\w+)\}")


class Statements:
    """The statements of a file by name. A `{piece}` in one is another of the file: what a question's
    parameters name, or, where they do not, the one of that name; never what somebody typed."""

    def __init__(self, file: Path) -> None:
        _, *parts = _HEADING.split(file.read_text())
        self._named = {
            name: text.strip().rstrip(";") for name, text in zip(parts[::2], parts[1::2], strict=True)
        }

    def text(self, name: str, params: Mapping[str, Any] | None = None) -> str:
        """Put a statement together."""
        given = params or {}
        text = self._named[name]
        while _PIECE.search(text):
            text = _PIECE.sub(lambda found: self._named[str(given.get(found[1], found[1]))], text)
        return text

    def each_of(self, name: str) -> list[str]:
        """List the statements of one that holds several."""
        return [each for each in self._named[name].split(";") if each.strip()]
