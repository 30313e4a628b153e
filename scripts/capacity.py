"""Recompute docs/capacity.md from docs/capacity.toml: what a shop of a size needs, and from which figures.

.venv/bin/python scripts/capacity.py                         write the page's tables anew
.venv/bin/python scripts/capacity.py --set products=2e7 …    show them for figures of your own
"""

import ast
import math
import operator
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
PAGE, FIGURES = DOCS / "capacity.md", DOCS / "capacity.toml"
_BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {"ceil": math.ceil, "log": math.log}


def reckon(formula: str, known: Mapping[str, float]) -> float:
    """Work out a formula of numbers, names, ceil and log; KeyError for a name that is not known."""

    def value(node: ast.AST) -> float:
        match node:
            case ast.Expression(body):
                return value(body)
            case ast.Constant(int() | float() as number):
                return number
            case ast.Name(name):
                return known[name]
            case ast.BinOp(left, sign, right):
                return _OPERATORS[type(sign)](value(left), value(right))
            case ast.Call(ast.Name(name), arguments):
                return _FUNCTIONS[name](*map(value, arguments))
        raise ValueError(f"{formula}: only arithmetic is reckoned")

    return value(ast.parse(formula, mode="eval"))


def results(figures: Mapping[str, Any], instead: Mapping[str, float] | None = None) -> dict[str, float]:
    """Work out everything, in the order in which it is written; `instead`: inputs of one's own."""
    known = {name: float(each["value"]) for name, each in figures["input"].items()} | dict(instead or {})
    for each in figures["result"]:
        known[each["name"]] = reckon(each["formula"], known)
    return known


def shown(value: float) -> str:
    """Write a number with three digits that count."""
    if value == 0 or (value == int(value) and abs(value) < 1_000):
        return f"{value:.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{round(value, digits):,.{digits}f}" if digits else f"{float(f'{value:.3g}'):,.0f}"


def tables(figures: Mapping[str, Any], instead: Mapping[str, float] | None = None) -> dict[str, str]:
    """Write each table of the page, by its name."""
    known = results(figures, instead)
    made: dict[str, list[str]] = {}

    def add(table: str, head: list[str], cells: list[str]) -> None:
        made.setdefault(table, [_row(head), "|" + " --- |" * len(head)]).append(_row(cells))

    for name, each in figures["input"].items():
        value = f"{known[name]:,.10g} {each['unit']}"
        add(each["table"], ["input", "name", "value", "from"], [each["is"], f"`{name}`", value, each["from"]])
    for each in figures["result"]:
        cells = [each["is"], f"`{each['name']}`", f"`{each['formula']}`"]
        cells.append(f"{shown(known[each['name']])} {each['unit']}")
        add(each["table"], ["what", "name", "formula", "value"], cells)
    for name, curve in figures["curve"].items():
        for row in curve["rows"]:
            add(name, curve["head"], [each if isinstance(each, str) else f"{each:,.10g}" for each in row])
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.strip() for cell in cells)} |"


def page(text: str, figures: Mapping[str, Any]) -> str:
    """Put the tables into the page, between their marks."""
    made = tables(figures)
    return _BLOCK.sub(lambda found: found[1] + made[found[2]] + found[3], text)


def main(arguments: list[str]) -> None:
    """Write the page, or show the tables for other figures."""
    figures = tomllib.loads(FIGURES.read_text())
    instead = {
        name: float(value) for each in arguments if "=" in each for name, _, value in [each.partition("=")]
    }
    if unknown := instead.keys() - figures["input"].keys():
        raise SystemExit(f"There is no input {min(unknown)}. There are: {', '.join(figures['input'])}.")
    if instead:
        sys.stdout.write("\n".join(f"{name}\n{table}" for name, table in tables(figures, instead).items()))
    else:
        PAGE.write_text(page(PAGE.read_text(), figures))


if __name__ == "__main__":
    main(sys.argv[1:])
