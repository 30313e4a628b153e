"""Reports, for operators about all and for sellers about their own, as JSON or as CSV."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from typing import Annotated, Any, cast, get_args

from msgspec import Meta, Struct, field
from starlette.requests import Request

from mercat import ids, money
from mercat.analytics import (
    SUMS,
    CompareWith,
    GroupBy,
    ReportAnswer,
    ReportAsk,
    ReportName,
    Row,
    RowLimit,
    TimeZone,
)
from mercat.kit.media_types import preferred
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.rpc import JSON, Caller, Filters
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.desk.products import seller_id_of
from mercat.web.router import PublicRoute
from mercat.web.table_query import as_csv

CSV = "text/csv"
NAMES: tuple[ReportName, ...] = get_args(ReportName)
GROUPS: tuple[GroupBy, ...] = get_args(GroupBy)
COMPARISONS: tuple[CompareWith, ...] = get_args(CompareWith)
_IDS: Mapping[str, type[ids.Id]] = {
    "seller": ids.SellerId,
    "seller_id": ids.SellerId,
    "product": ids.ProductId,
    "product_id": ids.ProductId,
    "offer_id": ids.OfferId,
}
ReportWord = str
GroupWord = Annotated[str, Meta(max_length=64, extra_json_schema={"enum": list(GROUPS)})]
CompareWord = Annotated[str, Meta(max_length=64, extra_json_schema={"enum": list(COMPARISONS)})]


class ReportFilters(Filters):
    """Which report: `from` and `to` are days in the time zone `tz`, and `to` is left out; without `from` it
    begins with the shop, without `to` it goes on to now. `compare`: beside the period before, or the same
    days a year earlier."""

    since: date | None = field(default=None, name="from")
    until: date | None = field(default=None, name="to")
    by: GroupWord | None = None
    compare: CompareWord | None = None
    tz: TimeZone = "UTC"
    limit: RowLimit = 1_000


class ComparedShown(Struct, frozen=True, kw_only=True):
    since: date = field(name="from")
    until: date = field(name="to")
    rows: list[dict[str, Any]]
    totals: dict[str, Any]


class ReportShown(Struct, frozen=True, kw_only=True):
    """A report. Amounts are decimals of `currency`. Everything up to `as_of` is in it; `behind_s`: for how
    long the oldest event has waited that is not."""

    report: str
    since: date | None = field(name="from")
    until: date | None = field(name="to")
    tz: str
    currency: str
    rows: list[dict[str, Any]]
    totals: dict[str, Any]
    compared: ComparedShown | None
    as_of: datetime
    behind_s: float


class ReportsApi:
    """Reports."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def operator_report(
        self, caller: Caller, name: ReportWord, filters: ReportFilters, request: Request
    ) -> Any:
        """Report what was sold and looked at in the whole shop: sales, orders, products, searches, funnel,
        cohorts or stock."""
        return await self._answer(read_ask(name, filters, None), request)

    async def seller_report(
        self, caller: Caller, name: ReportWord, filters: ReportFilters, request: Request
    ) -> Any:
        """Report what was sold and looked at of one's own goods."""
        return await self._answer(read_ask(name, filters, seller_id_of(caller)), request)

    async def _answer(self, ask: ReportAsk, request: Request) -> Any:
        report = await self._shop.analytics.report(ask)
        currency = self._shop.settings.currency
        if preferred(request, (JSON, CSV)) == CSV:
            return csv_of(ask.name, report, currency)
        return shown_report(ask, report, currency)


def read_ask(name: str, filters: ReportFilters, seller_id: ids.SellerId | None) -> ReportAsk:
    """Read which report is asked for; NotFound and Invalid say the nearest word there is."""
    if name not in NAMES:
        nearest = get_close_matches(name, NAMES, 1)
        facts = {"nearest": nearest[0]} if nearest else {}
        raise NotFound(f"There is no such report. There are {', '.join(NAMES)}.", pointer="/name", **facts)
    return ReportAsk(
        name=name,
        since=filters.since,
        until=filters.until,
        by=cast(GroupBy | None, _one_of(filters.by, GROUPS, "by")),
        compare=cast(CompareWith | None, _one_of(filters.compare, COMPARISONS, "compare")),
        tz=filters.tz,
        seller_id=seller_id,
        limit=filters.limit,
    )


def _one_of(word: str | None, known: Sequence[str], name: str) -> str | None:
    if not word or word in known:
        return word or None
    nearest = get_close_matches(word, known, 1)
    words = f"`{name}` is one of {', '.join(known)}." + (f" Did you mean `{nearest[0]}`?" if nearest else "")
    raise Invalid(words, pointer=f"/{name}", **({"nearest": nearest[0]} if nearest else {}))


def shown_report(ask: ReportAsk, report: ReportAnswer, currency: str) -> ReportShown:
    compared = report.compared
    return ReportShown(
        report=ask.name,
        since=ask.since,
        until=ask.until,
        tz=ask.tz,
        currency=currency,
        rows=[_shown(row, currency) for row in report.rows],
        totals=_shown(report.totals, currency),
        compared=compared
        and ComparedShown(
            since=compared.since,
            until=compared.until,
            rows=[_shown(row, currency) for row in compared.rows],
            totals=_shown(compared.totals, currency),
        ),
        as_of=report.as_of,
        behind_s=report.behind_s,
    )


def _shown(row: Row, currency: str) -> Row:
    return {name: _cell(name, value, currency) for name, value in row.items()}


def _cell(name: str, value: Any, currency: str) -> Any:
    if value is None:
        return None
    if name in SUMS:
        return money.shown(value, currency)
    return str(_IDS[name](value)) if name in _IDS else value


def csv_of(name: str, report: ReportAnswer, currency: str) -> Any:
    """Make the file of a report: a line of names, then its rows, in plain numbers."""
    head = list(dict.fromkeys(each for row in report.rows or [report.totals] for each in row))

    async def rows() -> AsyncIterator[list[Any]]:
        for row in report.rows:
            yield [_csv_cell(each, row.get(each, ""), currency) for each in head]

    answer = as_csv(f"{name}.csv", head, rows())
    answer.headers["report-as-of"] = report.as_of.isoformat()
    answer.headers["report-behind-s"] = str(report.behind_s)
    return answer


def _csv_cell(name: str, value: Any, currency: str) -> Any:
    if name in SUMS and value != "":
        return rendering.decimal(value, currency)
    return _cell(name, value, currency) if value != "" else ""


API = [
    PublicRoute(
        "GET",
        "/operator/reports/{name}",
        ReportsApi.operator_report,
        tag="Running the shop",
        needs="operator",
        shows=ReportShown,
        answers=f"{JSON}, {CSV}",
        refuses=["not_found"],
    ),
    PublicRoute(
        "GET",
        "/seller/reports/{name}",
        ReportsApi.seller_report,
        tag="Selling",
        needs="seller",
        scopes=["orders:read"],
        shows=ReportShown,
        answers=f"{JSON}, {CSV}",
        refuses=["not_found"],
    ),
]
