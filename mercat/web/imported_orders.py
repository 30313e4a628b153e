"""Orders of a former shop, to be read: one's own, and everybody's for operators."""

from datetime import datetime

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.ids import ImportedOrderId
from mercat.kit.rpc import Caller
from mercat.orders import ImportedOrder
from mercat.shop import Shop
from mercat.web.forms import id_of
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, PageLimit, SearchWords
from mercat.web.session import with_role
from mercat.web.table_query import CHOICE_MAX, choice, link

_A_PAGE = 50
_ASKED: dict[str, tuple[str, ...]] = {"q": (), "after": ()}


class ImportedLineShown(Struct, frozen=True):
    title: str
    sku: str
    quantity: int
    unit_price: Amount


class ImportedOrderShown(Struct, frozen=True, kw_only=True):
    """An order of a former shop; `imported` is always true. Nothing of it can be changed here."""

    imported_order_id: ImportedOrderId
    number: str
    imported: bool
    placed_at: datetime
    status: str
    email: str
    currency: str
    subtotal: Amount
    discount: Amount
    shipping: Amount
    tax: Amount
    total: Amount
    address: dict[str, str]
    lines: list[ImportedLineShown]


class ImportedOrdersShown(Struct, frozen=True):
    orders: list[ImportedOrderShown]
    next_cursor: str | None


class ImportedOrdersApi:
    """Orders of a former shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def imported_orders(self, caller: Caller) -> ImportedOrdersShown:
        """List what one bought in the shop before this one, the newest first, once one's e-mail address is
        confirmed. It can be read, and nothing else."""
        return ImportedOrdersShown(
            [imported_shown(each) for each in await bought_before(self._shop, caller)], None
        )

    async def all_imported_orders(
        self,
        caller: Caller,
        q: SearchWords = "",
        limit: PageLimit = 50,
        cursor: ImportedOrderId | None = None,
    ) -> ImportedOrdersShown:
        """List everybody's orders of the shop before this one, the newest first; `q`: a number or an e-mail
        address."""
        found = await self._shop.orders.find_old(q, cursor, limit)
        following = str(found[-1].imported_order_id) if len(found) == limit else None
        return ImportedOrdersShown([imported_shown(each) for each in found], following)


async def bought_before(shop: Shop, caller: Caller | None) -> list[ImportedOrder]:
    """List what a member whose address is confirmed bought in the former shop."""
    if caller is None or caller.guest:
        return []
    person = await shop.accounts.person(caller.user_id)
    return await shop.orders.old_of(person.email) if person.email_verified else []


def imported_shown(order: ImportedOrder) -> ImportedOrderShown:
    """Show an order with decimals."""
    currency = order.currency

    def amount(name: str) -> Amount:
        return money.shown(getattr(order, name), currency)

    return ImportedOrderShown(
        imported_order_id=order.imported_order_id,
        number=order.number,
        imported=True,
        placed_at=order.placed_at,
        status=order.status,
        email=order.email,
        currency=currency,
        subtotal=amount("subtotal"),
        discount=amount("discount"),
        shipping=amount("shipping"),
        tax=amount("tax"),
        total=amount("total"),
        address=order.address,
        lines=[
            ImportedLineShown(line.title, line.sku, line.quantity, money.shown(line.unit_price, currency))
            for line in order.lines
        ],
    )


API = [
    PublicRoute("GET", "/orders/imported", ImportedOrdersApi.imported_orders, tag="Buying", needs="member"),
    PublicRoute(
        "GET",
        "/operator/orders/imported",
        ImportedOrdersApi.all_imported_orders,
        tag="Running the shop",
        needs="operator",
    ),
]


class ImportedOrderPages:
    """Orders of a former shop on the operator's desk."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def orders(self, request: Request) -> Response:
        await with_role(request, "operator")
        chosen = choice(request.query_params, _ASKED)
        after = chosen.pop("after", "")
        cursor = id_of(after, ImportedOrderId) if after else None
        found = await self._shop.orders.find_old(chosen.get("q", ""), cursor, _A_PAGE)
        last = found[-1].imported_order_id if len(found) == _A_PAGE else None
        return await operator_page(
            self._pages,
            request,
            "orders",
            "operator_imported_orders.html",
            orders=found,
            chosen=chosen,
            words_max=CHOICE_MAX,
            more=link("/operator/orders/imported", chosen, after=last) if last else None,
        )


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    return [pages.route("/operator/orders/imported", ImportedOrderPages(pages, shop).orders)]
