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
orders_placed = Counter("mercat_orders_placed_total", "Orders confirmed.")
order_value = Counter(
    "mercat_order_value_minor_total", "Value of confirmed orders, minor units.", ["currency"]
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
slot_lag = Gauge("mercat_slot_lag_bytes", "WAL that waits for the relay.", multiprocess_mode="mostrecent")
searches = Counter(
    "mercat_searches_total", "Searches answered: from the index, or as they were a moment ago.", ["how"]
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
