"""A seller's money: what is pending, available and reserved, what was paid out, and what a sale costs."""

from collections.abc import Mapping
from typing import Literal, cast, get_args

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.catalog import CategoryName
from mercat.ids import CategoryId, OfferId, PayoutId, SellerId
from mercat.kit.media_types import preferred
from mercat.kit.refusals import Invalid
from mercat.kit.rpc import Caller
from mercat.payments import (
    MoneyState,
    NewPayoutAccount,
    PayoutAccount,
    PayoutStatus,
)
from mercat.pricing import PricedBasket, PricedLine
from mercat.shop import Shop
from mercat.web.commission_rules import category_named, places_of, rules_table
from mercat.web.desk.listing_form import TypedPrice
from mercat.web.desk.page import A_PAGE, DONE, desk_page, seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.money_shown import (
    CSV,
    LINES,
    PDF,
    STATEMENT_TYPES,
    LineShown,
    PayoutShown,
    StatementShown,
    lines_shown,
    payout_shown,
    statement_csv,
    statement_pdf,
    statement_shown,
)
from mercat.web.order_shown import numbers_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import LIMIT_MAX, Amount, PageLimit, Price, minor
from mercat.web.table_query import AFTER, choice, link, tabs

_PATH = "/desk/money"
_STATUS: dict[str, tuple[str, ...]] = {"status": get_args(PayoutStatus)}
_TABS = {"": "All", "paid": "Paid", "pending": "Under way", "failed": "Failed"}


class BalanceShown(Struct, frozen=True):
    pending: Amount
    """Paid by shoppers, and not delivered for long enough."""
    available: Amount
    """Goes out with the next payout; below zero it is owed, and taken from what comes."""
    reserved: Amount
    """Held while a return is open."""
    currency: str
    hold_days: float
    minimum: Amount
    schedule: Literal["daily", "weekly", "off"]


class UnpaidShown(Struct, frozen=True):
    lines: list[LineShown]
    next_cursor: int | None


class PayoutsShown(Struct, frozen=True):
    payouts: list[PayoutShown]
    next_cursor: PayoutId | None


class PreviewAsk(Struct, frozen=True):
    """What is to be sold, in which category (a slug or a name), and for how much."""

    price: Price
    category: CategoryName = ""


class FeesShown(Struct, frozen=True, kw_only=True):
    price: Amount
    commission: Amount
    fee: Amount
    net: Amount
    """What is left of the price."""
    tax: Amount = 0
    """What of the price is tax at the standard rate of the shop's country, where prices include it; nothing
    is kept of it."""
    currency: str
    rate: float
    rule: int | None
    """The place of the rule in the operators' list, from 1; none: the shop's own rate."""


class SellerMoneyApi:
    """What a seller earned, and what was paid out of it."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def balance(self, caller: Caller) -> BalanceShown:
        """Say what is pending, available and reserved of one's own money: together what the shop owes."""
        return await balance_of(self._shop, seller_id_of(caller))

    async def unpaid_lines(
        self,
        caller: Caller,
        state: MoneyState | None = None,
        limit: PageLimit = 50,
        cursor: int | None = None,
    ) -> UnpaidShown:
        """List what one's own balance is made of, the newest first."""
        lines = await self._shop.payments.unpaid_lines(seller_id_of(caller), state, cursor, limit)
        return UnpaidShown(
            await lines_shown(self._shop, lines), lines[-1].line_id if len(lines) == limit else None
        )

    async def payouts(
        self,
        caller: Caller,
        status: PayoutStatus | None = None,
        limit: PageLimit = 20,
        cursor: PayoutId | None = None,
    ) -> PayoutsShown:
        """List one's own payouts, the newest first."""
        found = await self._shop.payments.payouts(seller_id_of(caller), status, cursor, limit)
        following = found[-1].payout_id if len(found) == limit else None
        return PayoutsShown([payout_shown(each) for each in found], following)

    async def statement(
        self,
        request: Request,
        caller: Caller,
        payout_id: PayoutId,
        limit: PageLimit = LIMIT_MAX,
        cursor: int = 0,
    ) -> Response | StatementShown:
        """Show what a payout is made of, line by line: as JSON in pages, whole as CSV or PDF by `Accept`."""
        return await statement_as_asked(self._shop, request, payout_id, seller_id_of(caller), limit, cursor)

    async def preview_fees(self, caller: Caller, ask: PreviewAsk) -> FeesShown:
        """Say what the shop would keep of a sale, by the rules of now."""
        currency = self._shop.settings.currency
        price = minor(ask.price, currency, "/price")
        category_id = CategoryId(0)
        if ask.category.strip():
            category_id = category_named(await self._shop.catalog.categories(), ask.category).category_id
        return await fees_of(self._shop, seller_id_of(caller), category_id, price)

    async def payout_account(self, caller: Caller) -> PayoutAccount:
        """Show where one is paid to, but for its last digits hidden."""
        return await self._shop.payments.payout_account(seller_id_of(caller))

    async def set_payout_account(self, caller: Caller, account: NewPayoutAccount) -> PayoutAccount:
        """Name the bank account that one is paid to from now on. The shop keeps its last digits alone."""
        return await self._shop.payments.set_payout_account(seller_id_of(caller), account)


async def balance_of(shop: Shop, seller_id: SellerId) -> BalanceShown:
    found = (await shop.payments.seller_balances([seller_id]))[seller_id]
    settings, currency = shop.settings, found.currency
    return BalanceShown(
        money.shown(found.pending, currency),
        money.shown(found.available, currency),
        money.shown(found.reserved, currency),
        currency,
        settings.payout_hold_days,
        money.shown(settings.payout_minimum, currency),
        settings.payout_schedule,
    )


async def statement_as_asked(
    shop: Shop, request: Request, payout_id: PayoutId, seller_id: SellerId | None, limit: int, cursor: int
) -> Response | StatementShown:
    """Answer a statement in the media type that is asked for; NotFound for another seller's."""
    found = await shop.payments.statement(payout_id, seller_id)
    kind = preferred(request, ("application/json", CSV, PDF))
    if kind == CSV:
        return await statement_csv(shop, found)
    if kind == PDF:
        return await statement_pdf(shop, found)
    lines = await shop.payments.statement_lines(payout_id, seller_id, cursor, limit)
    return await statement_shown(shop, found, lines, limit)


async def fees_of(shop: Shop, seller_id: SellerId, category_id: CategoryId, price: int) -> FeesShown:
    """Reckon what is kept of a sale at home: of the price without the tax that it includes."""
    table, currency = await rules_table(shop), shop.settings.currency
    sale = PricedBasket([PricedLine(OfferId(0), 1, price)], [], currency, shop.settings.home_country)
    totals = await shop.pricing.total(sale)
    tax = totals.tax if totals.tax_included else 0
    commission, fee = table.kept_of(seller_id, category_id, price - tax)
    rule, place = table.rule(seller_id, category_id), table.place(seller_id, category_id)
    return FeesShown(
        price=money.shown(price, currency),
        commission=money.shown(commission, currency),
        fee=money.shown(fee, currency),
        tax=money.shown(tax, currency),
        net=money.shown(price - tax - commission - fee, currency),
        currency=currency,
        rate=rule.rate_ppm / 1_000_000,
        rule=None if place is None else place + 1,
    )


API = [
    PublicRoute(
        "GET",
        "/seller/balance",
        SellerMoneyApi.balance,
        tag="Selling",
        needs="seller",
        scopes=["orders:read"],
    ),
    PublicRoute(
        "GET",
        "/seller/balance/lines",
        SellerMoneyApi.unpaid_lines,
        tag="Selling",
        needs="seller",
        scopes=["orders:read"],
    ),
    PublicRoute(
        "GET",
        "/seller/payouts",
        SellerMoneyApi.payouts,
        tag="Selling",
        needs="seller",
        scopes=["orders:read"],
    ),
    PublicRoute(
        "GET",
        "/seller/statements/{payout_id}",
        SellerMoneyApi.statement,
        tag="Selling",
        needs="seller",
        scopes=["orders:read"],
        shows=StatementShown,
        answers=STATEMENT_TYPES,
        refuses=["not_found"],
    ),
    PublicRoute(
        "POST",
        "/seller/fees/preview",
        SellerMoneyApi.preview_fees,
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
        status=200,
        refuses=["category_unknown"],
    ),
    PublicRoute(
        "GET", "/seller/payout-account", SellerMoneyApi.payout_account, tag="Selling", needs="seller"
    ),
    PublicRoute(
        "PUT", "/seller/payout-account", SellerMoneyApi.set_payout_account, tag="Selling", needs="seller"
    ),
]


class PreviewForm(Struct, frozen=True):
    amount: TypedPrice
    category: CategoryName = ""


_FORMS = (NewPayoutAccount, PreviewForm)


class SellerMoneyPages:
    """The same as pages."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def money(self, request: Request, form: Form | None = None) -> Response:
        _, seller_id = await seller_of(request)
        query: Mapping[str, str] = request.query_params if request.method == "GET" else {}
        chosen, after = choice(query, _STATUS), choice(query, AFTER).get("after", "")
        payments = self._shop.payments
        status = cast(PayoutStatus | None, chosen.get("status"))
        payouts = await payments.payouts(seller_id, status, id_of(after, PayoutId) if after else None, A_PAGE)
        counts = await payments.payout_counts(seller_id)
        form = form or Form(_FORMS)
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "money",
            seller_id,
            422 if form.errors else 200,
            balance=(await payments.seller_balances([seller_id]))[seller_id],
            settings=self._shop.settings,
            account=await payments.payout_account(seller_id),
            payouts=payouts,
            chosen=chosen,
            tabs=tabs(_PATH, chosen, "status", _TABS, {**counts, "": sum(counts.values())}),
            more=link(_PATH, chosen, after=payouts[-1].payout_id) if len(payouts) == A_PAGE else None,
            places=await places_of(self._shop),
            preview=await self._preview(request, seller_id),
            form=form,
            said=DONE.get(request.query_params.get("said", "")),
        )

    async def lines(self, request: Request) -> Response:
        """Show what the balance is made of."""
        _, seller_id = await seller_of(request)
        states: dict[str, tuple[str, ...]] = {"state": get_args(MoneyState)}
        chosen, last = choice(request.query_params, states), _line_after(request)
        state = cast(MoneyState | None, chosen.get("state"))
        lines = await self._shop.payments.unpaid_lines(seller_id, state, last, A_PAGE)
        path = f"{_PATH}/lines"
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "money_lines",
            seller_id,
            200,
            lines=lines,
            numbers=await numbers_of(self._shop, (line.order_id for line in lines)),
            kinds=LINES,
            tabs=tabs(path, chosen, "state", _STATES, {}),
            more=link(path, chosen, after=lines[-1].line_id) if len(lines) == A_PAGE else None,
        )

    async def statement(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        found = await self._shop.payments.statement(_payout_id(request), seller_id)
        last = _line_after(request) or 0
        lines = await self._shop.payments.statement_lines(found.payout.payout_id, seller_id, last, A_PAGE)
        path = f"{_PATH}/{found.payout.payout_id}"
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "statement",
            seller_id,
            200,
            payout=found.payout,
            totals=[(LINES[kind], found.totals[kind]) for kind in LINES if kind in found.totals],
            lines=lines,
            numbers=await numbers_of(self._shop, (line.order_id for line in lines)),
            kinds=LINES,
            more=link(path, {}, after=lines[-1].line_id) if len(lines) == A_PAGE else None,
        )

    async def as_csv(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        found = await self._shop.payments.statement(_payout_id(request), seller_id)
        return await statement_csv(self._shop, found)

    async def as_pdf(self, request: Request) -> Response:
        _, seller_id = await seller_of(request)
        found = await self._shop.payments.statement(_payout_id(request), seller_id)
        return await statement_pdf(self._shop, found)

    async def set_account(self, request: Request) -> Response:
        form = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        asked = read_form(form, NewPayoutAccount)
        if isinstance(asked, FormErrors):
            return await self.money(request, Form(_FORMS, form, asked))
        try:
            await self._shop.payments.set_payout_account(seller_id, asked)
        except Invalid as refused:
            return await self.money(request, Form(_FORMS, form, errors_of(refused)))
        return self._pages.redirect(request, f"{_PATH}?said=payout_account")

    async def _preview(self, request: Request, seller_id: SellerId) -> FeesShown | FormErrors | None:
        """Reckon what a sale would cost, where the page's address asks for it."""
        given = request.query_params
        if "amount" not in given:
            return None
        currency = self._shop.settings.currency
        asked = read_form(dict(given), PreviewForm, currency=currency)
        if isinstance(asked, FormErrors):
            return asked
        category_id = id_of(asked.category, CategoryId) if asked.category else CategoryId(0)
        return await fees_of(self._shop, seller_id, category_id, asked.amount)


_LINE_DIGITS_MAX = 19
_STATES = {"": "All", "pending": "Pending", "available": "Available", "reserved": "Reserved"}


def _line_after(request: Request) -> int | None:
    after = request.query_params.get("after", "")
    return int(after) if after.isascii() and after.isdigit() and len(after) < _LINE_DIGITS_MAX else None


def _payout_id(request: Request) -> PayoutId:
    return id_of(request.path_params["payout_id"], PayoutId)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = SellerMoneyPages(pages, shop)
    return [
        pages.route("/desk/money", desk.money),
        pages.route("/desk/money/lines", desk.lines),
        pages.route("/desk/money/account", desk.set_account, "POST"),
        pages.route("/desk/money/{payout_id}", desk.statement),
        pages.route("/desk/money/{payout_id}/statement.csv", desk.as_csv),
        pages.route("/desk/money/{payout_id}/statement.pdf", desk.as_pdf),
    ]
