"""Metrics for Prometheus, and logs as JSON lines without personal data."""

import contextlib
import logging
import os
import sys
from typing import TextIO, cast

import structlog
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from mercat.kit import patches

_TOGETHER = "PROMETHEUS_MULTIPROC_DIR" in os.environ
if _TOGETHER:
    patches.keep_process_id()

requests = Counter("mercat_requests_total", "Requests answered.", ["route", "status"])
request_seconds = Histogram(
    "mercat_request_seconds",
    "Time from a request's arrival to its answer.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
pages = Counter("mercat_pages_total", "Pages and files answered, by kind.", ["kind", "status"])
page_seconds = Histogram(
    "mercat_page_seconds",
    "Time from a page's arrival to its answer, by kind.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
turned_away = Counter(
    "mercat_turned_away_total",
    "Requests that the door refused before they were asked, by kind and code.",
    ["kind", "code"],
)
orders_placed = Counter("mercat_orders_placed_total", "Orders confirmed.")
order_value = Counter(
    "mercat_order_value_minor_total", "Value of confirmed orders, minor units.", ["currency"]
)
sold_without_rate = Counter(
    "mercat_orders_without_tax_rate_total", "Orders to where no rate of tax is known."
)
tax_records_refused = Counter(
    "mercat_tax_records_refused_total", "Sales and refunds that the tax provider would not record."
)
checkouts_refused = Counter("mercat_checkouts_refused_total", "Checkouts refused, by code.", ["code"])
checkouts_recovered = Counter("mercat_checkouts_recovered_total", "Checkouts taken over after a crash.")
facts_relayed = Counter("mercat_facts_relayed_total", "Facts moved from the WAL to the log.")
facts_parked = Counter("mercat_facts_parked_total", "Facts no follower could digest.", ["follower"])
follower_lag = Gauge(
    "mercat_follower_lag_facts",
    "Facts told and not yet followed.",
    ["follower"],
    multiprocess_mode="mostrecent",
)
follower_behind = Gauge(
    "mercat_follower_behind_seconds",
    "Age of the oldest fact that is told and not yet followed.",
    ["follower"],
    multiprocess_mode="mostrecent",
)
slot_lag = Gauge("mercat_slot_lag_bytes", "WAL that waits for the relay.", multiprocess_mode="mostrecent")
orders_slot_lag = Gauge(
    "mercat_orders_slot_lag_bytes",
    "The same of each other database of orders.",
    ["database"],
    multiprocess_mode="mostrecent",
)
orders_away = Gauge(
    "mercat_orders_away",
    "1 while a database of orders, of several, does not answer, else 0.",
    ["database"],
    multiprocess_mode="mostrecent",
)
searches = Counter(
    "mercat_searches_total", "Searches answered: from the index, or as they were a moment ago.", ["how"]
)
archive_lag = Gauge(
    "mercat_archive_lag_bytes", "WAL that is not yet where backups are kept.", multiprocess_mode="mostrecent"
)
archive_stopped = Gauge(
    "mercat_archive_stopped",
    "1 where backups are kept and commits do not reach them, else 0.",
    multiprocess_mode="mostrecent",
)
backup_age = Gauge(
    "mercat_backup_age_seconds",
    "Age of the newest backup; +Inf where there is none.",
    multiprocess_mode="mostrecent",
)
disk_free = Gauge("mercat_disk_free_bytes", "Room on the disk of the shop.", multiprocess_mode="mostrecent")
looks_dropped = Counter(
    "mercat_looks_dropped_total", "Looks of visitors that were dropped before anything waited for them."
)
breaker_opened = Counter("mercat_breaker_opened_total", "Times a breaker opened.", ["service"])


def metrics() -> bytes:
    """Show the metrics of all processes in Prometheus' text form (they share PROMETHEUS_MULTIPROC_DIR)."""
    if not _TOGETHER:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class _LossyStderr:
    """Standard error, where a line that cannot be written is lost: nobody's purchase fails for a full disk
    under the log."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


def set_up_logs(level: str) -> None:
    """Log JSON lines on standard error, from this level on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _LossyStderr())),
        cache_logger_on_first_use=True,
    )
