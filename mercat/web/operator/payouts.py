"""Payouts to all sellers: what was paid, what failed, what is owed, and paying now."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast, get_args

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.ids import PayoutId, SellerId
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.payments import NotPaidBecause, Payout, PayoutRun, PayoutStatus
from mercat.shop import Shop
from mercat.web.desk.money import PayoutsShown, statement_as_asked
from mercat.web.errors import message_of
from mercat.web.forms import id_of
from mercat.web.money_shown import (
    LINES,
    STATEMENT_TYPES,
    PayoutShown,
    StatementShown,
    payout_shown,
    statement_csv,
    statement_pdf,
)
from mercat.web.operator.page import operator_page
from mercat.web.order_shown import numbers_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import LIMIT_MAX, Amount, PageLimit
from mercat.web.session import with_role
from mercat.web.table_query import AFTER, as_csv, choice, every_page, link, tabs

_PATH = "/operator/payouts"
_A_PAGE = 50
_ASKED: dict[str, tuple[str, ...]] = {"status": get_args(PayoutStatus), "seller": ()}
_TABS = {"": "All", "paid": "Paid", "pending": "Under way", "failed": "Failed"}
_HEAD = ["payout_id", "seller_id", "seller", "status", "amount", "currency", "account", "made_at", "reason"]
WHY = {
    "below_minimum": "Too little, or owed",
    "no_account": "No account named",
    "account_refused": "The account was refused",
    "seller_suspended": "The seller is suspended",
}
_DONE = {"ran": "Done. Whoever could be paid is paid, or under way."}


class RunAsk(Struct, frozen=True):
    """Whom to pay now: everybody who can be, or one seller, whose refused account is tried again."""

    seller: SellerId | None = None
    dry_run: bool = False


class NotPaidShown(Struct, frozen=True):
    seller_id: SellerId
    amount: Amount
    """Below zero: owed by the seller, and taken from what comes."""
    why: NotPaidBecause


class RunShown(Struct, frozen=True):
    run: str
    dry_run: bool
    total: Amount
    currency: str
    payouts: list[PayoutShown]
    not_paid: list[NotPaidShown]


class PayoutsApi:
    """Payouts to all sellers."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def everybodys_payouts(
        self,
        seller: SellerId | None = None,
        status: PayoutStatus | None = None,
        limit: PageLimit = 20,
        cursor: PayoutId | None = None,
    ) -> PayoutsShown:
        """List payouts to all sellers, or to one, the newest first."""
        found = await self._shop.payments.payouts(seller, status, cursor, limit)
        following = found[-1].payout_id if len(found) == limit else None
        return PayoutsShown([payout_shown(each) for each in found], following)

    async def anybodys_statement(
        self,
        request: Request,
        caller: Caller,
        payout_id: PayoutId,
        limit: PageLimit = LIMIT_MAX,
        cursor: int = 0,
    ) -> Response | StatementShown:
        """Show what any payout is made of, as its seller sees it: JSON, CSV or PDF by `Accept`."""
        return await statement_as_asked(self._shop, request, payout_id, None, limit, cursor)

    async def run_payouts(self, ask: RunAsk) -> RunShown:
        """Pay sellers out now what is available to them; `dry_run` says whom, and pays nobody."""
        return _run_shown(await self._shop.payments.run_payouts(ask.dry_run, ask.seller), ask.dry_run)


def _run_shown(run: PayoutRun, dry_run: bool) -> RunShown:
    currency = run.currency
    return RunShown(
        run.run,
        dry_run,
        money.shown(sum(payout.amount for payout in run.payouts), currency),
        currency,
        [payout_shown(payout) for payout in run.payouts],
        [NotPaidShown(each.seller_id, money.shown(each.amount, currency), each.why) for each in run.not_paid],
    )


API = [
    PublicRoute(
        "GET",
        "/operator/payouts",
        PayoutsApi.everybodys_payouts,
        tag="Running the shop",
        needs="operator",
    ),
    PublicRoute(
        "GET",
        "/operator/statements/{payout_id}",
        PayoutsApi.anybodys_statement,
        tag="Running the shop",
        needs="operator",
        shows=StatementShown,
        answers=STATEMENT_TYPES,
        refuses=["not_found"],
    ),
    PublicRoute(
        "POST",
        "/operator/payouts/run",
        PayoutsApi.run_payouts,
        tag="Running the shop",
        needs="operator",
        status=200,
        refuses=["payouts_not_set_up"],
    ),
]


class PayoutRow(NamedTuple):
    """A payout, and who sells under that id."""

    payout: Payout
    seller: str


class PayoutPages:
    """The same as a table."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def payouts(self, request: Request, refused: Refusal | None = None) -> Response:
        await with_role(request, "operator")
        query: Mapping[str, str] = request.query_params if request.method == "GET" else {}
        chosen, after = choice(query, _ASKED), choice(query, AFTER).get("after", "")
        found = await self._payouts(chosen, id_of(after, PayoutId) if after else None, _A_PAGE)
        seller_id = id_of(chosen["seller"], SellerId) if "seller" in chosen else None
        counts = await self._shop.payments.payout_counts(seller_id)
        plan = await self._plan(seller_id) if query.get("plan") else None
        return await operator_page(
            self._pages,
            request,
            "payouts",
            "operator_payouts.html",
            refused.status if refused else 200,
            rows=await self._rows(found),
            chosen=chosen,
            plan=plan,
            why=WHY,
            settings=self._shop.settings,
            tabs=tabs(_PATH, chosen, "status", _TABS, {**counts, "": sum(counts.values())}),
            more=link(_PATH, chosen, after=found[-1].payout_id) if len(found) == _A_PAGE else None,
            file=link("/operator/payouts.csv", chosen),
            said=_DONE.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused else None,
        )

    async def run(self, request: Request) -> Response:
        """Pay now: everybody, or the seller that the form names."""
        form = await self._pages.form(request)
        await with_role(request, "operator")
        seller_id = id_of(form["seller"], SellerId) if form.get("seller") else None
        try:
            await self._shop.payments.run_payouts(False, seller_id)
        except Refusal as refused:
            return await self.payouts(request, refused)
        return self._pages.redirect(request, f"{_PATH}?said=ran")

    async def statement(self, request: Request) -> Response:
        await with_role(request, "operator")
        found = await self._shop.payments.statement(_payout_id(request))
        lines = await self._shop.payments.statement_lines(found.payout.payout_id, None, 0, LIMIT_MAX)
        names = await self._shop.sellers.names([found.payout.seller_id])
        return await operator_page(
            self._pages,
            request,
            "payouts",
            "operator_statement.html",
            payout=found.payout,
            seller_name=names.get(found.payout.seller_id, str(found.payout.seller_id)),
            totals=[(LINES[kind], found.totals[kind]) for kind in LINES if kind in found.totals],
            lines=lines,
            count=found.count,
            numbers=await numbers_of(self._shop, (line.order_id for line in lines)),
            kinds=LINES,
        )

    async def as_csv(self, request: Request) -> Response:
        await with_role(request, "operator")
        return await statement_csv(self._shop, await self._shop.payments.statement(_payout_id(request)))

    async def as_pdf(self, request: Request) -> Response:
        await with_role(request, "operator")
        return await statement_pdf(self._shop, await self._shop.payments.statement(_payout_id(request)))

    async def export(self, request: Request) -> Response:
        """Send payouts as a CSV file: those that the table would show."""
        await with_role(request, "operator")
        chosen = choice(request.query_params, _ASKED)

        async def page(last: Payout | None, limit: int) -> list[Payout]:
            return await self._payouts(chosen, last.payout_id if last else None, limit)

        rows = (_cells(row) async for payouts in every_page(page) for row in await self._rows(payouts))
        return as_csv("payouts.csv", _HEAD, rows)

    async def _payouts(self, chosen: dict[str, str], after: PayoutId | None, limit: int) -> list[Payout]:
        seller_id = id_of(chosen["seller"], SellerId) if "seller" in chosen else None
        status = cast(PayoutStatus | None, chosen.get("status"))
        return await self._shop.payments.payouts(seller_id, status, after, limit)

    async def _rows(self, payouts: Sequence[Payout]) -> list[PayoutRow]:
        names = await self._shop.sellers.names(sorted({each.seller_id for each in payouts}))
        return [PayoutRow(each, names.get(each.seller_id, str(each.seller_id))) for each in payouts]

    async def _plan(self, seller_id: SellerId | None) -> dict[str, Any]:
        """Say whom a run of now would pay, and whom it would not."""
        run = await self._shop.payments.run_payouts(True, seller_id)
        sellers = sorted({each.seller_id for each in (*run.payouts, *run.not_paid)})
        return {"run": run, "names": await self._shop.sellers.names(sellers)}


def _cells(row: PayoutRow) -> list[Any]:
    payout = row.payout
    return [
        payout.payout_id,
        payout.seller_id,
        row.seller,
        payout.status,
        money.shown(payout.amount, payout.currency),
        payout.currency,
        payout.account,
        payout.made_at.isoformat(),
        payout.reason,
    ]


def _payout_id(request: Request) -> PayoutId:
    return id_of(request.path_params["payout_id"], PayoutId)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    payouts = PayoutPages(pages, shop)
    return [
        pages.route("/operator/payouts", payouts.payouts),
        pages.route("/operator/payouts.csv", payouts.export),
        pages.route("/operator/payouts/run", payouts.run, "POST"),
        pages.route("/operator/payouts/{payout_id}", payouts.statement),
        pages.route("/operator/payouts/{payout_id}/statement.csv", payouts.as_csv),
        pages.route("/operator/payouts/{payout_id}/statement.pdf", payouts.as_pdf),
    ]
