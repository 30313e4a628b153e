"""docs/metrics.md: every metric, its kind, its labels and what it counts."""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from mercat.kit import metrics

_HEAD = """# Metrics

`GET /metrics` shows them in Prometheus' text form, of all processes together. This machine may read them,
others with the bearer token of `MERCAT_METRICS_KEY`. A series is made when something is first counted.
[operating.md](operating.md) has the promises and alarms that are made of them; `deploy/grafana` dashboards.

A kind is a lane of requests (`mercat/web/lanes.py`): files, search, pages, buying pages, people, desk,
papers, flash; at the door also reads and buying, which are the API's.

This page is written by `python -m mercat.lab.docs` from `mercat/kit/metrics.py`.

| metric | type | labels | what it says |
| --- | --- | --- | --- |
"""
_TYPES: dict[type[Any], str] = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}


def markdown() -> str:
    """Write the page."""
    rows: list[str] = []
    for each in vars(metrics).values():
        if type(each) in _TYPES:
            [family] = each.describe()
            shown = f"{family.name}_total" if isinstance(each, Counter) else family.name
            names: tuple[str, ...] = getattr(each, "_labelnames", ())
            labels = ", ".join(f"`{name}`" for name in names)
            rows.append(f"| `{shown}` | {_TYPES[type(each)]} | {labels} | {family.documentation} |\n")
    return _HEAD + "".join(sorted(rows))
