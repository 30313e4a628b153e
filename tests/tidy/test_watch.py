"""What watches the shop goes by metrics that exist, and alarms when it should."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import Metric

from mercat.kit import metrics
from mercat.lab.watch import ALARMS, PROMISES, files
from mercat.lab.watch.files import DEPLOY

ROOT = Path(__file__).parents[2]
OURS = re.compile(r"\bmercat_[a-z_]+")
_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "")


def known() -> dict[str, set[str]]:
    """Labels by the name of each series."""
    found: dict[str, set[str]] = {}
    for name, each in vars(metrics).items():
        if hasattr(each, "describe") and hasattr(each, "_labelnames"):
            family: Metric = next(iter(each.describe()))
            labels = {*each._labelnames}
            assert family.documentation, name
            for suffix in _SUFFIXES:
                found[family.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def expressions() -> list[str]:
    said = re.findall(r"expr: '((?:[^']|'')*)'", files()["prometheus/mercat.rules.yml"])
    said = [each.replace("''", "'") for each in said]
    for name, text in files().items():
        if name.endswith(".json"):
            said += [target["expr"] for panel in json.loads(text)["panels"] for target in panel["targets"]]
    return said


@pytest.mark.parametrize("name", files())
def test_a_made_file_is_what_the_code_says(name: str) -> None:
    assert (DEPLOY / name).read_text() == files()[name], "run .venv/bin/python -m mercat.lab.watch"


def test_every_query_is_of_metrics_and_labels_that_exist() -> None:
    series = known()
    used: set[str] = set()
    for expression in expressions():
        for name in OURS.findall(expression):
            assert name in series, f"{name} in {expression}"
            used.add(name)
        for name, labels in re.findall(r"(mercat_[a-z_]+)\{([^}]*)\}", expression):
            asked = set(re.findall(r"(\w+)(?:=~|!=|=)", labels))
            assert asked <= series[name], f"{name}: {asked - series[name]}"
    families = {name.removesuffix("_total") for name in series if name.endswith("_total")}
    shown = {family for family in families if any(name.startswith(family) for name in used)}
    assert shown == families, "each metric is on a dashboard or in a rule"


def test_every_alarm_is_explained_to_who_is_woken() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    for name in ("MercatBudgetBurns", *(alarm.name for alarm in ALARMS)):
        assert f"`{name}`" in text
    for promise in PROMISES:
        assert f"`{promise.name}`" in text


def series(name: str, labels: str, rate: int) -> str:
    return f"  - series: '{name}{{{labels}}}'\n    values: '0+{rate}x180'\n"


CHECKOUT = 'route="POST /api/v1/orders/checkout"'
TRIAL = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
{given}
  alert_rule_test:
  - eval_time: 90m
    alertname: MercatBudgetBurns
    exp_alerts: [{expected}]
"""


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize(("faults", "alarms"), [(0, False), (1, False), (10, True)])
def test_a_budget_that_burns_alarms_and_one_that_does_not_is_silent(faults, alarms, tmp_path) -> None:
    """Of 6,000 purchases a minute: a fault is 0.017 %, ten are 0.17 %, which is 17 times too many."""
    given = series("mercat_requests_total", f'{CHECKOUT},status="201"', 6_000)
    given += series("mercat_requests_total", f'{CHECKOUT},status="500"', faults)
    alert = "{exp_labels: {severity: page, promise: checkout, window: %s}, exp_annotations: {summary: %s}}"
    title = PROMISES[0].title
    said = [
        (w, f"'{title}: the budget burns {n} times too fast over {w}.'")
        for w, n in (("1h", "14.4"), ("6h", "6"))
    ]
    expected = ", ".join(alert % each for each in said) if alarms else ""
    ticket = "{exp_labels: {severity: ticket, promise: checkout, window: 3d}, exp_annotations: {summary: %s}}"
    if faults:
        slow = ticket % f"'{title}: the budget burns 1 times too fast over 3d.'"
        expected = ", ".join(filter(None, (expected, slow)))
    trial = TRIAL.format(rules=DEPLOY / "prometheus" / "mercat.rules.yml", given=given, expected=expected)
    (tmp_path / "trial.yml").write_text(trial)
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "trial.yml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
