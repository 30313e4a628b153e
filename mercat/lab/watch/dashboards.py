"""Dashboards for Grafana: rows of panels, each with queries of metrics that exist."""

from typing import Any, NamedTuple

from mercat.lab.watch.promises import PROMISES

_WIDTH, _HEIGHT, _COLUMNS = 12, 8, 2
_SOURCE = {"type": "prometheus", "uid": "${source}"}


class Panel(NamedTuple):
    """A graph: its title, unit, and queries with their legends."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]


def _rate(metric: str, by: str, where: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{where}[$__rate_interval]))"


def _share(metric: str, share: float, by: str) -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket[$__rate_interval])))"


SHOP = (
    Panel("Orders a second", "ops", (("sum(rate(mercat_orders_placed_total[$__rate_interval]))", "orders"),)),
    Panel(
        "Value of orders an hour, minor units",
        "short",
        (("sum by (currency) (increase(mercat_order_value_minor_total[1h]))", "{{currency}}"),),
    ),
    Panel("Refused checkouts", "ops", ((_rate("mercat_checkouts_refused_total", "code"), "{{code}}"),)),
    Panel(
        "Orders without a rate of tax, an hour",
        "short",
        (("sum(increase(mercat_orders_without_tax_rate_total[1h]))", "orders"),),
    ),
    Panel("Searches", "ops", ((_rate("mercat_searches_total", "how"), "{{how}}"),)),
)
DOOR = (
    Panel("Pages by kind", "ops", ((_rate("mercat_pages_total", "kind"), "{{kind}}"),)),
    Panel("Pages, p99", "s", ((_share("mercat_page_seconds", 0.99, "kind"), "{{kind}}"),)),
    Panel("API by status", "ops", ((_rate("mercat_requests_total", "status"), "{{status}}"),)),
    Panel(
        "API, slowest p99",
        "s",
        ((f"topk(10, {_share('mercat_request_seconds', 0.99, 'route')})", "{{route}}"),),
    ),
    Panel("Turned away", "ops", ((_rate("mercat_turned_away_total", "kind, code"), "{{kind}} {{code}}"),)),
    Panel("Breakers opened", "ops", ((_rate("mercat_breaker_opened_total", "service"), "{{service}}"),)),
)
BEHIND = (
    Panel("Followers, seconds behind", "s", (("mercat_follower_behind_seconds", "{{follower}}"),)),
    Panel("Followers, facts behind", "short", (("mercat_follower_lag_facts", "{{follower}}"),)),
    Panel("Facts relayed", "ops", (("sum(rate(mercat_facts_relayed_total[$__rate_interval]))", "facts"),)),
    Panel("Facts parked", "short", (("sum by (follower) (mercat_facts_parked_total)", "{{follower}}"),)),
    Panel(
        "Log that waits",
        "bytes",
        (("max(mercat_slot_lag_bytes)", "relay"), ("max(mercat_archive_lag_bytes)", "archive")),
    ),
    Panel("Room on the disk", "bytes", (("min(mercat_disk_free_bytes)", "free"),)),
    Panel("Age of the newest backup", "s", (("max(mercat_backup_age_seconds)", "backup"),)),
    Panel("Looks not counted", "ops", (("sum(rate(mercat_looks_dropped_total[5m]))", "looks"),)),
    Panel("Checkouts recovered", "ops", (("sum(rate(mercat_checkouts_recovered_total[5m]))", "recovered"),)),
)
BUDGETS = tuple(
    Panel(
        f"{promise.title} ({promise.share:.2%} of 30 days)",
        "percentunit",
        ((f'1 - mercat:bad:ratio30d{{promise="{promise.name}"}} / {1 - promise.share:.6f}', "budget left"),),
    )
    for promise in PROMISES
)


def dashboards() -> dict[str, dict[str, Any]]:
    """Make each dashboard by the name of its file."""
    return {
        "shop.json": _dashboard("mercat-shop", "Mercat: selling", (*SHOP, *BUDGETS)),
        "machine.json": _dashboard("mercat-machine", "Mercat: door and engines", (*DOOR, *BEHIND)),
    }


def _dashboard(uid: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    return {
        "uid": uid,
        "title": title,
        "tags": ["mercat"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(n, panel) for n, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for n, (query, legend) in enumerate(panel.queries)
        ],
    }
