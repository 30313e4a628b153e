"""The generated half of docs/glossary.md: services, events and modules, each by its docstring."""

import ast
import re
import sys
from pathlib import Path
from typing import get_args

from mercat import events
from mercat.shop import SERVICES

PACKAGE = Path(__file__).parents[2]
MARK = "<!-- From here on: written by `python -m mercat.lab.docs` from the code. -->\n"
CELL_MAX = 120
PARTS_OF_A_SERVICE = {"__init__", "api", "messages", "rules", "service"}
"""Named once, under Terms."""


def first_sentence(docstring: str | None) -> str:
    """Return a docstring's first sentence, cut at a comma where it is too long for a table's cell."""
    line = " ".join((docstring or "").split("\n\n")[0].split())
    sentence = re.split(r"(?<=\w\w)\. |\.$", line, maxsplit=1)[0].replace("|", "\\|")
    if len(sentence) > CELL_MAX:
        sentence = re.sub(r"[,;:][^,;:]*$", "", sentence[:CELL_MAX])
    return sentence


def modules() -> dict[str, str]:
    """Map each module, by its path in the package, to what it is for."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        name = str(inside.parent if path.name == "__init__.py" else inside.with_suffix(""))
        own_row = name in SERVICES or name == "."
        if own_row or (
            inside.parts[0] in SERVICES and len(inside.parts) == 2 and path.stem in PARTS_OF_A_SERVICE
        ):
            continue
        found[name] = first_sentence(ast.get_docstring(ast.parse(path.read_text())))
    return found


def table(heading: str, column: str, rows: dict[str, str]) -> str:
    """Write a section with a table of two columns."""
    lines = [f"| `{name}` | {meaning} |" for name, meaning in rows.items()]
    return "\n".join([f"\n## {heading}\n", f"| {column} | meaning |", "| --- | --- |", *lines]) + "\n"


def generated() -> str:
    """Write everything below the mark."""
    services = {name: first_sentence(sys.modules[f"mercat.{name}"].__doc__) for name in sorted(SERVICES)}
    facts = {kind.__name__: first_sentence(kind.__doc__) for kind in get_args(events.AnyEvent)}
    return (
        MARK
        + table("Services", "service", services)
        + table("Events", "event", dict(sorted(facts.items())))
        + table("Modules", "module in `mercat/`", modules())
    )


def markdown(written: str) -> str:
    """Make the page anew: what stands above the mark is written by hand, and kept."""
    return written.partition(MARK)[0] + generated()
