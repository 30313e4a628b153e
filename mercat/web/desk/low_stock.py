"""What a seller is about to run out of, and from how many down that is so."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast, get_args

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.catalog import Offer
from mercat.ids import OfferId, ProductId, SellerId
from mercat.inventory import LowMark, ShelfSort, Stock
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.desk.page import A_PAGE, DONE, desk_page, seller_of
from mercat.web.desk.products import StockShown, seller_id_of
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit
from mercat.web.table_query import AFTER, TableQuery, as_csv, choice, every_page, headings, link, tabs

WhichShelves = Literal["low", "every"]
_PATH = "/desk/low-stock"
_TABS: dict[WhichShelves, str] = {"low": "Low", "every": "All"}
_SORTS: tuple[ShelfSort, ...] = get_args(ShelfSort)
_COLUMNS = [
    ("title", "Product"),
    ("available", "Available"),
    ("held", "Held for buyers"),
    ("mark", "Low from"),
    ("status", "Status"),
]
_SHELVES: dict[str, tuple[str, ...]] = {"which": tuple(_TABS), "sort": _SORTS}


class LowMarkAsk(Struct, frozen=True):
    """From how many available down an offer is low; 0: only when it is sold out."""

    low_mark: LowMark


class LowShelfShown(Struct, frozen=True, kw_only=True):
    offer_id: OfferId
    product_id: ProductId
    title: str
    status: str
    quantity: int
    available: int
    low_mark: int
    low: bool


class ShelvesShown(Struct, frozen=True):
    offers: list[LowShelfShown]
    next_cursor: OfferId | None


class ShelfRow(NamedTuple):
    """A shelf, and what stands on it."""

    offer: Offer
    stock: Stock


class LowStockApi:
    """What is low."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def low_stock(
        self,
        caller: Caller,
        which: WhichShelves = "low",
        limit: PageLimit = 20,
        cursor: OfferId | None = None,
    ) -> ShelvesShown:
        """List one's own offers of which few are left, by the mark of each; the emptiest first."""
        shelves = await self._shop.inventory.shelves(
            seller_id_of(caller), which == "low", _SORTS[0], cursor, limit
        )
        following = shelves[-1].offer_id if len(shelves) == limit else None
        return ShelvesShown([_shown(row) for row in await rows_of(self._shop, shelves)], following)

    async def set_low_mark(self, caller: Caller, offer_id: OfferId, ask: LowMarkAsk) -> StockShown:
        """Say from how many down an offer is low (5 at first)."""
        stock = await self._shop.inventory.set_low_mark(seller_id_of(caller), offer_id, ask.low_mark)
        return StockShown(
            offer_id=stock.offer_id,
            quantity=stock.on_hand,
            reserved=stock.reserved,
            available=stock.available,
            low_mark=stock.low_mark,
        )


async def rows_of(shop: Shop, shelves: list[Stock]) -> list[ShelfRow]:
    """Find what stands on shelves; what is archived is left out."""
    offers = await shop.catalog.offers([each.offer_id for each in shelves])
    return [
        ShelfRow(offer, each)
        for each in shelves
        if (offer := offers.get(each.offer_id)) and offer.status != "archived"
    ]


def _shown(row: ShelfRow) -> LowShelfShown:
    return LowShelfShown(
        offer_id=row.offer.offer_id,
        product_id=row.offer.product_id,
        title=row.offer.title,
        status=row.offer.status,
        quantity=row.stock.on_hand,
        available=row.stock.available,
        low_mark=row.stock.low_mark,
        low=row.stock.is_low,
    )


API = [
    PublicRoute(
        "GET",
        "/seller/low-stock",
        LowStockApi.low_stock,
        tag="Selling",
        needs="seller",
        scopes=["catalog:read", "stock:write"],
    ),
    PublicRoute(
        "PUT",
        "/seller/stock/{offer_id}/low-mark",
        LowStockApi.set_low_mark,
        tag="Selling",
        needs="seller",
        scopes=["stock:write"],
        refuses=["not_found"],
    ),
]


def _cells(row: ShelfRow) -> list[Any]:
    offer, stock = row
    return [offer.offer_id, offer.title, stock.available, stock.reserved, stock.low_mark, offer.status]


class LowStockPages:
    """What is low as a table, and the mark of each."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def shelves(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None, back: str = ""
    ) -> Response:
        _, seller_id = await seller_of(request)
        query: str | Mapping[str, str] = back or (request.query_params if request.method == "GET" else {})
        chosen, after = choice(query, _SHELVES), choice(query, AFTER).get("after", "")
        shelves = await self._shelves(seller_id, chosen, id_of(after, OfferId) if after else None, A_PAGE)
        last = shelves[-1].offer_id if len(shelves) == A_PAGE else None
        counts = await self._shop.inventory.shelf_counts(seller_id)
        form = form or Form(LowMarkAsk)
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "low_stock",
            seller_id,
            refused.status if refused else (422 if form.errors else 200),
            rows=await rows_of(self._shop, shelves),
            chosen=chosen,
            back=chosen | choice(query, AFTER),
            tabs=tabs(_PATH, chosen, "which", _TABS, {"low": counts.low, "every": counts.every}),
            headings=headings(_PATH, chosen, _COLUMNS, _SORTS, "available held"),
            more=link(_PATH, chosen, after=last) if last else None,
            file=link("/desk/low-stock.csv", chosen),
            form=form,
            said=DONE.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused else None,
        )

    async def export(self, request: Request) -> Response:
        """Send shelves as a CSV file: those that the table would show."""
        _, seller_id = await seller_of(request)
        chosen = choice(request.query_params, _SHELVES)

        async def page(last: Stock | None, limit: int) -> list[Stock]:
            return await self._shelves(seller_id, chosen, last.offer_id if last else None, limit)

        rows = (
            _cells(row)
            async for shelves in every_page(page)
            for row in await rows_of(self._shop, list(shelves))
        )
        return as_csv("stock.csv", ["offer_id", "title", "available", "held", "low_mark", "status"], rows)

    async def mark(self, request: Request) -> Response:
        form = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        offer_id, back = id_of(request.path_params["offer_id"], OfferId), form.get("back", "")
        asked = read_form(form, LowMarkAsk)
        if isinstance(asked, FormErrors):
            return await self.shelves(request, Form(LowMarkAsk, form, asked, at=offer_id), back=back)
        try:
            await self._shop.inventory.set_low_mark(seller_id, offer_id, asked.low_mark)
        except Refusal as refused:
            return await self.shelves(request, None, refused, back)
        chosen = choice(back, _SHELVES) | choice(back, AFTER)
        return self._pages.redirect(request, link(_PATH, chosen, said="mark"))

    async def _shelves(
        self, seller_id: SellerId, chosen: TableQuery, after: OfferId | None, limit: int
    ) -> list[Stock]:
        low, sort = chosen.get("which", "low") == "low", cast(ShelfSort, chosen.get("sort", _SORTS[0]))
        return await self._shop.inventory.shelves(seller_id, low, sort, after, limit)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = LowStockPages(pages, shop)
    return [
        pages.route("/desk/low-stock", desk.shelves),
        pages.route("/desk/low-stock.csv", desk.export),
        pages.route("/desk/low-stock/{offer_id}", desk.mark, "POST"),
    ]
