"""The files of `deploy/` that are made: rules for Prometheus, dashboards for Grafana."""

import json
from collections.abc import Iterator
from pathlib import Path

from mercat.lab.watch.alarms import ALARMS, BURNS
from mercat.lab.watch.dashboards import dashboards
from mercat.lab.watch.promises import LATE, PROMISES

DEPLOY = Path(__file__).parents[3] / "deploy"
_HEAD = "# Made by `python -m mercat.lab.watch`. What each alarm means is in docs/operating.md.\n"
_WINDOWS = ("5m", "30m", "1h", "6h", "3d", "30d")


def files() -> dict[str, str]:
    """Make every file: its text by its place in `deploy/`."""
    made = {"prometheus/mercat.rules.yml": rules()}
    for name, dashboard in dashboards().items():
        made[f"grafana/{name}"] = json.dumps(dashboard, indent=1) + "\n"
    return made


def rules() -> str:
    """Write the rules: what promises come to over several windows, then what alarms."""
    return _HEAD + "groups:\n" + "".join([*_recorded(), *_burning(), *_alarms()])


def _recorded() -> Iterator[str]:
    yield "- name: mercat promises\n  interval: 30s\n  rules:\n"
    for name, expression in LATE.items():
        yield f"  - record: mercat:late:bool\n    expr: {_quoted(expression)}\n"
        yield f"    labels: {{promise: {name}}}\n"
    for promise in PROMISES:
        for window in _WINDOWS:
            bad, every = (part.replace("{window}", window) for part in (promise.bad, promise.all))
            yield f"  - record: mercat:bad:ratio{window}\n    expr: {_quoted(f'({bad}) / ({every})')}\n"
            yield f"    labels: {{promise: {promise.name}}}\n"


def _burning() -> Iterator[str]:
    yield "- name: mercat budgets\n  rules:\n"
    for promise in PROMISES:
        for long, short, times, severity in BURNS:
            most = f"{times * (1 - promise.share):.6g}"
            parts = [
                f'mercat:bad:ratio{window}{{promise="{promise.name}"}} > {most}' for window in (long, short)
            ]
            yield "  - alert: MercatBudgetBurns\n"
            yield f"    expr: {_quoted(' and '.join(parts))}\n"
            yield f"    labels: {{severity: {severity}, promise: {promise.name}, window: {long}}}\n"
            said = f"{promise.title}: the budget burns {times:g} times too fast over {long}."
            yield f"    annotations: {{summary: {_quoted(said)}}}\n"


def _alarms() -> Iterator[str]:
    yield "- name: mercat alarms\n  rules:\n"
    for alarm in ALARMS:
        yield f"  - alert: {alarm.name}\n    expr: {_quoted(alarm.expression)}\n    for: {alarm.lasts}\n"
        yield f"    labels: {{severity: {alarm.severity}}}\n"
        yield f"    annotations: {{summary: {_quoted(alarm.says)}}}\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
