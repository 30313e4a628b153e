"""docs/capacity.md says what its formulas come to, and its formulas mean what they say."""

import importlib.util
import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "capacity.py"
spec = importlib.util.spec_from_file_location("capacity", SCRIPT)
assert spec
assert spec.loader
capacity = importlib.util.module_from_spec(spec)
spec.loader.exec_module(capacity)
FIGURES = tomllib.loads(capacity.FIGURES.read_text())
TEXT = capacity.PAGE.read_text()


def test_the_page_has_what_the_formulas_come_to():
    assert capacity.page(TEXT, FIGURES) == TEXT, "run scripts/capacity.py"


def test_every_table_is_shown_once():
    assert sorted(re.findall(r"<!-- table: (\w+) -->", TEXT)) == sorted(capacity.tables(FIGURES))


@pytest.mark.parametrize("table", capacity.tables(FIGURES).values())
def test_a_table_is_one(table):
    assert len({line.count("|") for line in table.splitlines()}) == 1


def test_a_changed_figure_changes_the_page():
    changed = {**FIGURES, "input": {**FIGURES["input"]}}
    changed["input"]["orders_peak"] = {**FIGURES["input"]["orders_peak"], "value": 50_000}
    assert capacity.page(TEXT, changed) != TEXT


def test_every_input_is_used_and_says_where_it_is_from():
    formulas = " ".join(each["formula"] for each in FIGURES["result"])
    unused = {name for name in FIGURES["input"] if not re.search(rf"\b{name}\b", formulas)}
    assert unused <= {"hot", "replaced"}, "these are said in words"
    for name, each in FIGURES["input"].items():
        assert each["from"], name
        for path in re.findall(r"`([\w/]+/[\w.]+)`", each["from"]):
            assert (ROOT / path).exists(), name


def test_every_metric_that_shows_a_failure_is_one():
    metrics = (ROOT / "docs" / "metrics.md").read_text()
    assert {name for name in re.findall(r"`(mercat_\w+)`", TEXT) if f"`{name}`" not in metrics} == set()


@pytest.mark.parametrize(
    ("formula", "value"),
    [("2 + 3 * a", 17), ("ceil(a / 2) ** 2", 9), ("log(a) / log(5)", 1), ("(1 - 0.5) * a", 2.5)],
)
def test_formulas_are_arithmetic(formula, value):
    assert math.isclose(capacity.reckon(formula, {"a": 5}), value)


@pytest.mark.parametrize("formula", ["open('x')", "a.b", "[a]", "b", "a if a else a"])
def test_what_is_no_arithmetic_is_refused(formula):
    with pytest.raises((ValueError, KeyError)):
        capacity.reckon(formula, {"a": 5})


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (52.56, "52.6"), (0.0456, "0.0456"), (5e8, "500,000,000"), (116_512, "117,000"), (12, "12")],
)
def test_numbers_have_three_digits_that_count(value, shown):
    assert capacity.shown(value) == shown


def test_anybody_can_reckon_with_figures_of_their_own():
    asked = [sys.executable, str(SCRIPT), "--set", "orders_peak=10000", "price_core=1"]
    more = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert "10,000 /s" in more
    assert capacity.PAGE.read_text() == TEXT
    wrong = subprocess.run([*asked, "ordres=1"], capture_output=True, text=True)
    assert (wrong.returncode, "There is no input ordres" in wrong.stderr) == (1, True)
