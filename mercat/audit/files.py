"""Statements of the audit by name: laws, breaks and mirrors stand in files of their own."""

import re
from pathlib import Path

_HEADING = re.compile(r"^-- (law|break|mirror|elsewhere): (.+)\n", re.MULTILINE)
_HERE = Path(__file__).parent


def named(file: str, kind: str) -> list[tuple[str, str]]:
    """Read what stands in a file under headings of a kind, each with its name."""
    _, *parts = _HEADING.split((_HERE / file).read_text())
    statements = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return [(name.strip(), text.strip().rstrip(";")) for its, name, text in statements if its == kind]
