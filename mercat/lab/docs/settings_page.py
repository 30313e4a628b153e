"""docs/settings.md, from the docstrings of `mercat.settings`."""

import inspect
from itertools import groupby

from mercat import settings
from mercat.lab.docs.source import SourceField, fields_of

_WRITTEN = "This page is written by `python -m mercat.lab.docs` from `mercat/settings.py`."


def markdown() -> str:
    """Make the page: a table for each group of settings."""
    first, *more = (inspect.getdoc(settings) or "").split("\n\n")
    parts = ["# Settings", "", first, "", *[line for paragraph in more for line in (paragraph, "")], _WRITTEN]
    for section, rows in groupby(fields_of(settings.Settings), lambda field: field.section):
        parts += ["", f"## {section}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
        parts += [f"| `{_variable(row.name)}` | {_default(row)} | {row.text} |" for row in rows]
    return "\n".join(parts) + "\n"


def _variable(name: str) -> str:
    return "MERCAT_<NAME>_URL" if name == "addresses" else f"MERCAT_{name.upper()}"


def _default(row: SourceField) -> str:
    value = getattr(settings.Settings(), row.name)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`" if value not in ("", {}) else "(none)"
