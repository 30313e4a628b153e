"""Reports as pages: the homes of both desks with what to do first, and each report with its filters."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.analytics import (
    ROWS_MAX,
    SUMS,
    TIMES,
    ReportAnswer,
    ReportAsk,
    ReportName,
    Row,
    ViewName,
    groups_of,
)
from mercat.ids import OfferId, ProductId, SellerId
from mercat.kit import clock, codec
from mercat.kit.http import malformed
from mercat.kit.refusals import Refusal
from mercat.shop import Shop
from mercat.web.charts import Chart, chart
from mercat.web.desk.page import desk_page, seller_of
from mercat.web.desk.returns import LEFT_LYING
from mercat.web.errors import RefusalMessage
from mercat.web.forms import Form, number_in
from mercat.web.operator.page import operator_page
from mercat.web.optional import unless_away
from mercat.web.pages import Pages
from mercat.web.reports import COMPARISONS, NAMES, ReportFilters, csv_of, read_ask
from mercat.web.router import Endpoint
from mercat.web.session import with_role
from mercat.web.streams import Streams

_DAYS = 30
_A_PAGE = 100
_SHOWN = 10
_RUNS_OUT_DAYS = 14
_PENDING_MAX = 100
_WATCHING_MAX = 20
"""Streams that a worker keeps open at once."""
_LIVE_S = 5
_AN_HOUR = "2026-10-25T02:00"
_TODAY = ("orders", "units", "gross", "refunds", "net", "average_order")
TITLES: dict[ReportName, str] = {
    "sales": "Sales",
    "orders": "Orders",
    "products": "Products",
    "searches": "Searches",
    "funnel": "Funnel",
    "cohorts": "Cohorts",
    "stock": "Stock",
}
_KEPT = ("from", "to", "compare", "tz")
"""What of a report's filters holds for another one too."""
_RATES = frozenset(
    {"click_rate", "buy_rate", "rate", "of_step_before", "conversion", "retention", "sell_through"}
)
_LABELS = frozenset(
    {"day", "hour", "week", "month", "seller", "category", "product", "country", "channel", "words", "step"}
    | {"cohort", "name", "seller_name"}
)
_HIDDEN = frozenset({"product", "seller", "product_id", "offer_id", "refunded_goods"})
_STEPS = {
    "visits": "Came by",
    "viewed": "Looked at a product",
    "added": "Put something in the cart",
    "checkouts": "Began to check out",
    "bought": "Ordered",
}


class Todo(NamedTuple):
    """Something that waits for somebody, and where it is done."""

    number: int
    words: str
    url: str


class Today(NamedTuple):
    """What today came to up to a moment, in words; nothing where that moment is not of today."""

    sums: list[tuple[str, str]]
    as_of: datetime


class RowsShown(NamedTuple):
    """Which rows of a report stand on a page; `cut_off`: there may be more than `total`."""

    page: int
    pages: int
    first: int
    total: int
    cut_off: bool
    url: Callable[[int], str]


class Cell(NamedTuple):
    """A cell of a report's table."""

    words: str
    url: str = ""
    is_end: bool = False


class ViewForm(Struct, frozen=True):
    """How a saved report is called."""

    name: ViewName


class UnsavedView(NamedTuple):
    """A form below a report that was not taken: what was typed, why it was not, and which report it was."""

    form: Form
    refused: RefusalMessage | None
    status: int
    asked: Mapping[str, str]


class ReportPages:
    """Reports of the whole shop, and of a seller's own."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._currency = shop.settings.currency
        self._streams = Streams(shop.host.closing, _WATCHING_MAX, _LIVE_S)

    # -- homes

    async def operator_home(self, request: Request) -> Response:
        await with_role(request, "operator")
        counts = await asyncio.gather(
            unless_away(self._shop.returns.counts()),
            unless_away(self._shop.sellers.sellers("pending", _PENDING_MAX)),
            unless_away(self._shop.checkout.parked_counts()),
            unless_away(self._shop.payments.case_counts()),
            unless_away(self._shop.catalog.asked_categories()),
        )
        returns, pending, parked, cases, asked = counts
        todos = [
            Todo((returns or {}).get(LEFT_LYING, 0), "returns to decide", "/operator/returns"),
            Todo(len(pending or []), "sellers to let in", "/operator/sellers?status=pending"),
            Todo(sum((parked or {}).values()), "parked purchases and cancellations", "/operator/parked"),
            Todo(cases.open if cases else 0, "open cases of money", "/operator/money"),
            Todo(len(asked or []), "categories to decide", "/operator/categories"),
        ]
        shown, today = await asyncio.gather(self._home(None, "/operator"), unless_away(self._today()))
        return await operator_page(
            self._pages, request, "home", "operator_home.html", todos=_waiting(todos), today=today, **shown
        )

    async def live(self, request: Request) -> Response:
        """Send the figures of today to an operator's home, as server-sent events, whenever they change."""
        await with_role(request, "operator")

        async def parts() -> dict[str, str]:
            return {"today": self._pages.render_fragment("today.html", today=await self._today())}

        return self._streams.answer(parts)

    async def _today(self) -> Today:
        """Say what today came to so far (UTC)."""
        since = clock.now().date()
        report = await self._shop.analytics.report(ReportAsk(name="orders", since=since))
        told = _TODAY if report.as_of.date() >= since else ()
        return Today(
            [(_heading(each), self._words(each, report.totals[each])) for each in told], report.as_of
        )

    async def seller_home(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        orders, returns, shelves = await asyncio.gather(
            self._shop.fulfilment.counts_of_seller(seller_id),
            self._shop.returns.counts(seller_id),
            self._shop.inventory.shelf_counts(seller_id),
        )
        todos = [
            Todo(orders.get("to_pack", 0), "orders to pack", "/desk/orders"),
            Todo(returns.get("requested", 0), "returns to decide", "/desk/returns"),
            Todo(
                returns.get("in_transit", 0), "returns on their way to you", "/desk/returns?status=in_transit"
            ),
            Todo(shelves.low, "offers low in stock", "/desk/low-stock"),
        ]
        shown = await self._home(seller_id, "/desk")
        return await desk_page(
            self._pages, self._shop, request, "home", seller_id, 200, todos=_waiting(todos), **shown
        )

    async def _home(self, seller_id: SellerId | None, desk: str) -> dict[str, Any]:
        """Ask all that a home shows of the last thirty days, beside the thirty before."""
        since = clock.now().date() - timedelta(days=_DAYS - 1)
        until = since + timedelta(days=_DAYS)

        def ask(name: ReportName, **more: Any) -> Awaitable[ReportAnswer | None]:
            asked = ReportAsk(name=name, since=since, until=until, seller_id=seller_id, **more)
            return unless_away(self._shop.analytics.report(asked))

        sales, funnel, products, searches, stock = await asyncio.gather(
            ask("sales", by="day", compare="previous"),
            ask("funnel", by="day", compare="previous"),
            ask("products", limit=_SHOWN),
            ask("searches", limit=1_000),
            ask("stock", limit=1_000),
        )
        return {
            "desk_url": desk,
            "as_of": sales.as_of if sales else None,
            "behind_s": sales.behind_s if sales else None,
            "charts": _charts(sales, funnel, self._currency) if sales and funnel else [],
            "top": [_top(row, products.rows) for row in products.rows if row["gross"]] if products else [],
            "currency": self._currency,
            "nothing_found": _nothing_found(searches.rows) if searches else [],
            "runs_out": _runs_out(stock.rows) if stock else [],
            "runs_out_days": _RUNS_OUT_DAYS,
        }

    # -- one report

    async def operator_report(self, request: Request, unsaved: UnsavedView | None = None) -> Response:
        caller = await with_role(request, "operator")
        shown = await self._report(request, None, "/operator/reports", unsaved)
        shown["views"] = await self._shop.analytics.views(caller.user_id, None)
        name = f"report_{request.path_params['name']}"
        return await operator_page(
            self._pages, request, name, "operator_report.html", shown.pop("status"), **shown
        )

    async def seller_report(self, request: Request, unsaved: UnsavedView | None = None) -> Response:
        caller, seller_id = await seller_of(request)
        shown = await self._report(request, seller_id, "/desk/reports", unsaved)
        shown["views"] = await self._shop.analytics.views(caller.user_id, seller_id)
        status = shown.pop("status")
        name = f"report_{request.path_params['name']}"
        return await desk_page(
            self._pages, self._shop, request, "report", seller_id, status, **(shown | {"here": name})
        )

    async def operator_file(self, request: Request) -> Response:
        await with_role(request, "operator")
        return await self._file(request, None)

    async def seller_file(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        return await self._file(request, seller_id)

    async def _file(self, request: Request, seller_id: SellerId | None) -> Response:
        name: str = request.path_params["name"]
        ask = read_ask(name, _filters(_given(request.query_params)), seller_id)
        return csv_of(name, await self._shop.analytics.report(ask), self._currency)

    async def _report(
        self, request: Request, seller_id: SellerId | None, path: str, unsaved: UnsavedView | None
    ) -> dict[str, Any]:
        name: str = request.path_params["name"]
        known = read_ask(name, ReportFilters(), None).name
        asked = unsaved.asked if unsaved else request.query_params
        chosen = _given(asked)
        kept = urlencode({each: chosen[each] for each in _KEPT if asked.get(each)})
        base: dict[str, Any] = {
            "name": name,
            "title": TITLES[known],
            "path": path,
            "chosen": chosen,
            "groups": groups_of(known),
            "comparisons": COMPARISONS,
            "status": unsaved.status if unsaved else 200,
            "wrong": None,
            "head": [],
            "rows": [],
            "sums": [],
            "plots": [],
            "file": f"{path}/{name}/file.csv?{urlencode(chosen | {'limit': ROWS_MAX})}",
            "reports": [(each, TITLES[each], f"{path}/{each}{kept and '?'}{kept}") for each in NAMES],
            "back": urlencode(dict(asked)),
            "view_form": unsaved.form if unsaved else Form(ViewForm, {"name": TITLES[known]}),
            "refused": unsaved and unsaved.refused,
        }
        try:
            ask = read_ask(name, _filters(chosen), seller_id)
            report = await self._shop.analytics.report(ask)
        except Refusal as refused:
            return base | {"status": refused.status, "wrong": str(refused)}
        head = [
            each for row in report.rows[:1] for each in row if each not in _HIDDEN and each != "product_id"
        ]
        head = [each for each in head if each != "seller_id" or "name" not in head]

        def at_page(number: int) -> str:
            return f"{path}/{name}?{urlencode(chosen | {'page': str(number)})}"

        pages = max(1, -(-len(report.rows) // _A_PAGE))
        page = number_in(asked.get("page"), 1, 1, pages)
        on_page = report.rows[(page - 1) * _A_PAGE : page * _A_PAGE]
        return base | {
            "head": [(_heading(each), each not in _LABELS) for each in head],
            "rows": [[self._cell(each, row) for each in head] for row in on_page],
            "shown": RowsShown(
                page,
                pages,
                (page - 1) * _A_PAGE + 1,
                len(report.rows),
                len(report.rows) == ask.limit,
                at_page,
            ),
            "sums": [(_heading(each), self._words(each, report.totals.get(each))) for each in _sums(report)],
            "before": _before(report, self._words),
            "plots": _plots(report, ask, self._currency),
            "as_of": report.as_of,
            "behind_s": report.behind_s,
        }

    def _cell(self, name: str, row: Row) -> Cell:
        value = row.get(name)
        words = self._words(name, value)
        if name == "name" and "product_id" in row:
            return Cell(words or "(no name)", f"/p/{ProductId(row['product_id'])}")
        return Cell(words, "", name not in _LABELS)

    def _words(self, name: str, value: Any) -> str:
        if value is None:
            return ""
        if name in SUMS or name == "average_order":
            return money.words(value, self._currency)
        if name in _RATES:
            return f"{value:.1%}"
        if name == "seller_id":
            return str(SellerId(value))
        if name == "offer_id":
            return str(OfferId(value))
        if name == "step":
            return _STEPS.get(str(value), str(value))
        return f"{value:,}" if isinstance(value, int | float) else str(value)


def _given(query: Mapping[str, str]) -> dict[str, str]:
    """Read what a report page is asked: what is empty is not asked for. Without days, the last thirty."""
    asked = {name: value for name, value in query.items() if value and name != "page"}
    if "from" not in asked and "to" not in asked:
        asked["from"] = str(clock.now().date() - timedelta(days=_DAYS - 1))
    return asked


def _filters(given: Mapping[str, str]) -> ReportFilters:
    """Read a report's filters as the API does, but that what it does not know is left alone."""
    known = {field.encode_name for field in msgspec.structs.fields(ReportFilters)}
    try:
        return codec.convert(
            {each: given[each] for each in given if each in known}, ReportFilters, strict=False
        )
    except msgspec.ValidationError as error:
        raise malformed(error) from None


def _waiting(todos: Sequence[Todo]) -> list[Todo]:
    return [each for each in todos if each.number]


def _sums(report: ReportAnswer) -> list[str]:
    return [each for each in report.totals if each not in _HIDDEN]


def _before(report: ReportAnswer, words: Any) -> list[tuple[str, str]]:
    if report.compared is None:
        return []
    return [(_heading(each), words(each, report.compared.totals.get(each))) for each in _sums(report)]


def _heading(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _top(row: Row, rows: Sequence[Row]) -> tuple[str, str, int, int, float]:
    """Answer what a product is called, where it is, what it sold, and how long its bar is, of a hundred."""
    most = max(each["gross"] for each in rows) or 1
    url = f"/p/{ProductId(row['product_id'])}"
    return row["name"] or url, url, row["gross"], row["units"], round(100 * row["gross"] / most, 1)


def _nothing_found(rows: Sequence[Row]) -> list[tuple[str, int]]:
    found = [(row["words"], row["no_result"]) for row in rows if row["no_result"] and row["words"] != "…"]
    return sorted(found, key=lambda each: -each[1])[:_SHOWN]


def _runs_out(rows: Sequence[Row]) -> list[Row]:
    soon = [row for row in rows if row["days_left"] is not None and row["days_left"] < _RUNS_OUT_DAYS]
    return soon[:_SHOWN]


def _charts(sales: ReportAnswer, funnel: ReportAnswer, currency: str) -> list[Chart]:
    labels = [_short(row["day"]) for row in sales.rows]
    before = sales.compared.rows if sales.compared else []
    funnel_before = funnel.compared.rows if funnel.compared else []

    def revenue(rows: Sequence[Row]) -> list[float]:
        return [row["gross"] - row["discount"] for row in rows]

    sold = sales.totals["gross"] - sales.totals["discount"]
    return [
        chart(
            "revenue",
            "Revenue",
            money.words(sold, currency),
            labels,
            revenue(sales.rows),
            revenue(before),
            words=lambda value: _money_words(value, currency),
            of="money",
        ),
        chart(
            "orders",
            "Orders",
            f"{sales.totals['orders']:,}",
            labels,
            [row["orders"] for row in sales.rows],
            [row["orders"] for row in before],
            words=_count_words,
            of="counts",
        ),
        chart(
            "conversion",
            "Conversion",
            f"{funnel.totals['conversion']:.1%} of {funnel.totals['visits']:,} "
            f"{'visit' if funnel.totals['visits'] == 1 else 'visits'}",
            [_short(row["day"]) for row in funnel.rows],
            [row["conversion"] for row in funnel.rows],
            [row["conversion"] for row in funnel_before],
            words=_rate_words,
        ),
        chart(
            "visits",
            "Visits",
            f"{funnel.totals['visits']:,}",
            [_short(row["day"]) for row in funnel.rows],
            [row["visits"] for row in funnel.rows],
            [row["visits"] for row in funnel_before],
            words=_count_words,
            of="counts",
        ),
    ]


def _plots(report: ReportAnswer, ask: ReportAsk, currency: str) -> list[Chart]:
    """Draw a report that is by time."""
    if ask.by not in TIMES and not (ask.by is None and ask.name in ("sales", "orders")):
        return []
    by = ask.by or "day"
    if not report.rows or by not in report.rows[0]:
        return []
    column = {"searches": "searches", "funnel": "visits", "orders": "orders"}.get(ask.name, "gross")
    before = report.compared.rows if report.compared else []
    is_money = column == "gross"
    return [
        chart(
            ask.name,
            _heading(column),
            "",
            _axis([row[by] for row in report.rows]),
            [row[column] for row in report.rows],
            [row[column] for row in before],
            words=(lambda value: _money_words(value, currency)) if is_money else _count_words,
            of="money" if is_money else "counts",
        )
    ]


def _money_words(value: float, currency: str) -> str:
    words = money.words(round(value), currency)
    return words.replace(".00", "") if value and round(value) % 100 == 0 else words


def _rate_words(value: float) -> str:
    return f"{value:.0%}" if round(value * 1_000) % 10 == 0 else f"{value:.1%}"


def _count_words(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _axis(steps: Sequence[str]) -> list[str]:
    """Shorten the steps of time for an axis. An hour that comes twice, since clocks were put back, says
    how far it is from UTC."""
    hours = Counter(step[: len(_AN_HOUR)] for step in steps)
    return [
        _short(step) if hours[step[: len(_AN_HOUR)]] == 1 else step[-len("02:00+01:00") :] for step in steps
    ]


def _short(step: str) -> str:
    """Shorten a step of time for an axis: 2026-11-29 is 29 Nov, 2026-10-25T02:00+01:00 is 02:00."""
    try:
        day = date.fromisoformat(step)
    except ValueError:
        return step[len("2026-10-25T") : len(_AN_HOUR)] if "T" in step else step
    return f"{day.day} {day:%b}"


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    reports = ReportPages(pages, shop)
    return [
        pages.route("/operator/home", reports.operator_home),
        pages.route("/operator/home/live", reports.live),
        pages.route("/operator/reports/{name}", reports.operator_report),
        pages.route("/operator/reports/{name}/file.csv", reports.operator_file),
        pages.route("/desk/home", reports.seller_home),
        pages.route("/desk/reports/{name}", reports.seller_report),
        pages.route("/desk/reports/{name}/file.csv", reports.seller_file),
    ]
