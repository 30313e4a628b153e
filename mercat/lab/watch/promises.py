"""What the shop promises of itself over thirty days, as shares of good events that metrics count."""

from typing import NamedTuple

_CHECKOUT = 'route="POST /api/v1/orders/checkout"'


class ServiceLevel(NamedTuple):
    """A service level: which share of events is to be good. `{window}` stands for a range of time."""

    name: str
    title: str
    share: float
    bad: str
    """PromQL of bad events a second."""
    all: str
    """PromQL of all events a second."""


_TURNED = 'rate(mercat_turned_away_total{{kind=~"{kinds}",code="overloaded"}}[{{window}}])'


def _or_none(rate: str) -> str:
    """Count what has no series, for it never happened, as none."""
    return f"(sum({rate}) or vector(0))"


def _late(name: str) -> str:
    return 'sum(avg_over_time(mercat:late:bool{promise="' + name + '"}[{window}]))'


LATE = {
    "search_freshness": 'max(mercat_follower_behind_seconds{follower="search"}) > bool 30',
    "followers": "max(mercat_follower_behind_seconds) > bool 60",
}
"""Whether somebody is late now, by the promise that this breaks: recorded, so that a month is read fast."""
PROMISES = (
    ServiceLevel(
        "checkout",
        "Purchases are answered without a fault of ours",
        0.9999,
        _or_none(f'rate(mercat_requests_total{{{_CHECKOUT},status=~"5.."}}[{{window}}])')
        + " + "
        + _or_none(_TURNED.format(kinds="buying")),
        f"sum(rate(mercat_requests_total{{{_CHECKOUT}}}[{{window}}]))",
    ),
    ServiceLevel(
        "checkout_speed",
        "Purchases are answered within a second",
        0.99,
        f"sum(rate(mercat_request_seconds_count{{{_CHECKOUT}}}[{{window}}]))"
        f' - sum(rate(mercat_request_seconds_bucket{{{_CHECKOUT},le="1.0"}}[{{window}}]))',
        f"sum(rate(mercat_request_seconds_count{{{_CHECKOUT}}}[{{window}}]))",
    ),
    ServiceLevel(
        "pages",
        "Pages are answered without a fault of ours",
        0.999,
        _or_none('rate(mercat_pages_total{status=~"5.."}[{window}])')
        + " + "
        + _or_none(_TURNED.format(kinds=".*pages|files")),
        "sum(rate(mercat_pages_total[{window}]))",
    ),
    ServiceLevel(
        "page_speed",
        "Pages are answered within half a second",
        0.99,
        "sum(rate(mercat_page_seconds_count[{window}]))"
        ' - sum(rate(mercat_page_seconds_bucket{le="0.5"}[{window}]))',
        "sum(rate(mercat_page_seconds_count[{window}]))",
    ),
    ServiceLevel(
        "search_freshness",
        "Search has what was changed half a minute ago",
        0.999,
        _late("search_freshness"),
        "vector(1)",
    ),
    ServiceLevel(
        "followers",
        "What is told is followed within a minute",
        0.999,
        _late("followers"),
        "vector(1)",
    ),
)
