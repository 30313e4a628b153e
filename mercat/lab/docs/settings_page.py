"""docs/settings.md, from the docstrings of `mercat.settings` and of the providers' own settings."""

import inspect
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from mercat import settings
from mercat.lab.docs.source import SourceField, fields_of
from mercat.payments import PROVIDERS
from mercat.pricing import TAX_PROVIDERS

_WRITTEN = "This page is written by `python -m mercat.lab.docs` from `mercat/settings.py`."


def markdown() -> str:
    """Make the page: a table for each group of settings."""
    first, *more = (inspect.getdoc(settings) or "").split("\n\n")
    parts = ["# Settings", "", first, "", *[line for paragraph in more for line in (paragraph, "")], _WRITTEN]
    for section, rows in groupby(fields_of(settings.Settings), lambda field: field.section):
        parts += _table(section, settings.Settings, [row for row in rows if row.name != "variables"])
    for what, providers in (("Payments", PROVIDERS), ("Taxes", TAX_PROVIDERS)):
        for name, module in providers.items():
            own = module.OWN_SETTINGS
            parts += _table(f"{what} by {name}", own, fields_of(own))
    return "\n".join(parts) + "\n"


def _table(section: str, kind: type[Any], rows: Iterable[SourceField]) -> list[str]:
    head = ["", f"## {section}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
    return head + [f"| `{_variable(row.name)}` | {_default(kind, row)} | {row.text} |" for row in rows]


def _variable(name: str) -> str:
    return "MERCAT_<NAME>_URL" if name == "addresses" else f"MERCAT_{name.upper()}"


def _default(kind: type[Any], row: SourceField) -> str:
    value = getattr(kind(), row.name)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`" if value not in ("", {}) else "(none)"
