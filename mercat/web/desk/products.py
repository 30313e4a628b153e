"""A seller's offers: price, status and stock."""

from typing import Any, Literal, NamedTuple, cast, get_args
from urllib.parse import urlencode

from msgspec import UNSET, Raw, Struct, UnsetType, field
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.catalog import (
    Condition,
    Gtin,
    NewOffer,
    Offer,
    OfferReason,
    OfferSort,
    OfferTerms,
    QuantityRules,
    SellerSku,
    Status,
)
from mercat.ids import OfferId, ProductId, SellerId, SkuId
from mercat.inventory import Stock, StockCount, StockQuantity
from mercat.kit.http import Answer
from mercat.kit.refusals import Forbidden, NotFound, Refusal, Stale
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.desk.listing_form import (
    TypedPrice,
)
from mercat.web.desk.page import A_PAGE, DONE, desk_page, seller_of
from mercat.web.errors import RefusalMessage, message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.idempotency import key_of
from mercat.web.pages import Pages
from mercat.web.preconditions import check_seen, version_of
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import (
    Amount,
    PageLimit,
    Price,
    SaleAsk,
    SalePriceShown,
    amount_shown,
    is_given,
    minor,
    optional_minor,
    sale_asked,
    sale_shown,
)
from mercat.web.table_query import AFTER, CHOICE_MAX, TableQuery, as_csv, choice, every, link

_PRODUCTS: dict[str, tuple[str, ...]] = {"q": (), "status": get_args(Status), "sort": get_args(OfferSort)}

_SORT: OfferSort = "newest"
_SORTS: dict[OfferSort, str] = {
    "newest": "Newest first",
    "cheapest": "Cheapest first",
    "dearest": "Dearest first",
}


class OfferChange(Struct, frozen=True):
    """What is otherwise from now on; what is not sent stays, and null takes away."""

    price: Price = field(default_factory=lambda: Raw(b"null"))
    status: Literal["active", "paused", "draft"] | None = None
    compare_at_price: Price | UnsetType = UNSET
    sale: SaleAsk | UnsetType | None = UNSET
    quantity_rules: QuantityRules | UnsetType | None = UNSET


class OfferAsk(Struct, frozen=True, kw_only=True):
    """An offer for what another seller lists: of a product, or of what has this barcode."""

    price: Price
    quantity: StockQuantity
    product_id: ProductId | None = None
    gtin: Gtin | None = None
    sku_id: SkuId | None = None
    condition: Condition = "new"
    sku: SellerSku | None = None
    compare_at_price: Price | UnsetType = UNSET
    sale: SaleAsk | None = None
    quantity_rules: QuantityRules | None = None


class OfferMade(Struct, frozen=True):
    offer_id: OfferId


class StandingShown(Struct, frozen=True):
    featured: bool
    reasons: list[OfferReason]
    price_to_win: Amount | None


class SellerOfferShown(Struct, frozen=True, kw_only=True):
    offer_id: OfferId
    product_id: ProductId
    title: str
    price: Amount
    """The regular one."""
    price_now: Amount
    """What is paid now."""
    compare_at_price: Amount | None
    sale: SalePriceShown | None
    quantity_rules: QuantityRules | None
    currency: str
    status: str
    quantity: int
    available: int
    hidden_because: str = ""


class SellerOffersShown(Struct, frozen=True):
    offers: list[SellerOfferShown]
    next_cursor: str | None


class StockShown(Struct, frozen=True, kw_only=True):
    offer_id: OfferId
    quantity: int
    reserved: int
    available: int
    low_mark: int
    """From this many available down it is low."""


class SellerProductsApi:
    """A seller's products and stock."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def seller_offers(
        self, caller: Caller, limit: PageLimit = 20, cursor: OfferId | None = None
    ) -> SellerOffersShown:
        """List one's own offers, with what is in stock of each."""
        seller_id = seller_id_of(caller)
        offers = await self._shop.catalog.of_seller(seller_id, cursor, limit)
        shelves = await self._shop.inventory.owned(seller_id, [offer.offer_id for offer in offers])
        stock = {shelf.offer_id: shelf for shelf in shelves}
        return SellerOffersShown(
            [_offer_shown(offer, stock.get(offer.offer_id)) for offer in offers],
            str(offers[-1].offer_id) if len(offers) == limit else None,
        )

    async def offer_product(self, caller: Caller, offer: OfferAsk, request: Request) -> OfferMade:
        """Offer what another seller lists, with so many in stock, new, used or refurbished."""
        key, currency = key_of(request), self._shop.settings.currency
        asked = NewOffer(
            product_id=offer.product_id,
            gtin=offer.gtin,
            sku_id=offer.sku_id,
            price=minor(offer.price, currency, "/price"),
            quantity=offer.quantity,
            condition=offer.condition,
            sku=offer.sku,
            compare_at_price=optional_minor(offer.compare_at_price, currency, "/compare_at_price") or None,
            sale=sale_asked(offer.sale, currency) or None,
            quantity_rules=offer.quantity_rules,
        )
        made = await self._shop.sellers.offer_product(
            seller_id_of(caller), asked, f"offer/{key}" if key else None
        )
        return OfferMade(made)

    async def offer_standing(self, caller: Caller, offer_id: OfferId) -> StandingShown:
        """Say whether an offer is the one that its variant shows, why, and which price would win.

        First comes what can be had, then what is new, then the lower price, then who offered first."""
        standing = await self._shop.catalog.offer_standing(seller_id_of(caller), offer_id)
        wins = standing.price_to_win
        return StandingShown(
            standing.featured,
            standing.reasons,
            None if wins is None else money.shown(wins, standing.currency),
        )

    async def change_offer(self, caller: Caller, offer_id: OfferId, change: OfferChange) -> SellerOfferShown:
        """Set another price, a sale that begins and ends by itself, or another status: at once."""
        seller_id, currency = seller_id_of(caller), self._shop.settings.currency
        price = minor(change.price, currency, "/price") if is_given(change.price) else None
        terms = OfferTerms(
            compare_at_price=optional_minor(change.compare_at_price, currency, "/compare_at_price"),
            sale=sale_asked(change.sale, currency),
            quantity_rules=change.quantity_rules,
        )
        offer = await self._shop.catalog.change_offer(seller_id, offer_id, price, change.status, terms)
        [shelf] = await self._shop.inventory.owned(seller_id, [offer_id]) or [None]
        return _offer_shown(offer, shelf)

    async def stock(self, caller: Caller, offer_id: OfferId) -> Answer:
        """Show what is in stock. Its ETag is what changing it needs."""
        for stock in await self._shop.inventory.owned(seller_id_of(caller), [offer_id]):
            return _stock_shown(stock)
        raise NotFound("You have no such offer.")

    async def count_stock(
        self, caller: Caller, request: Request, offer_id: OfferId, count: StockCount
    ) -> Answer:
        """Set what was counted, if nobody changed the stock since: If-Match has the ETag that was read."""
        try:
            version = version_of(request.headers.get("if-match"))
        except Stale:
            # NotFound, where it is another's; else one of several that may be meant.
            [stock] = await self._shop.inventory.owned(seller_id_of(caller), [offer_id]) or [None]
            if stock is None:
                raise NotFound("You have no such offer.") from None
            check_seen(request.headers["if-match"], f'"{stock.version}"')
            version = stock.version
        return _stock_shown(await self._shop.inventory.count(seller_id_of(caller), offer_id, version, count))


def seller_id_of(caller: Caller) -> SellerId:
    if caller.seller_id is None:
        raise Forbidden("Only a seller may do this.")
    return caller.seller_id


def _offer_shown(offer: Offer, stock: Stock | None) -> SellerOfferShown:
    return SellerOfferShown(
        offer_id=offer.offer_id,
        product_id=offer.product_id,
        title=offer.title,
        price=money.shown(offer.regular_price, offer.currency),
        price_now=money.shown(offer.price, offer.currency),
        compare_at_price=amount_shown(offer.compare_at_price, offer.currency),
        sale=sale_shown(offer.sale, offer.currency),
        quantity_rules=offer.quantity_rules,
        currency=offer.currency,
        status=offer.status,
        quantity=stock.on_hand if stock else 0,
        available=stock.available if stock else 0,
        hidden_because=offer.hidden_because,
    )


def _stock_shown(stock: Stock) -> Answer:
    shown = StockShown(
        offer_id=stock.offer_id,
        quantity=stock.on_hand,
        reserved=stock.reserved,
        available=stock.available,
        low_mark=stock.low_mark,
    )
    return Answer(shown, headers={"ETag": f'"{stock.version}"'})


API = [
    PublicRoute(
        "GET",
        "/seller/offers",
        SellerProductsApi.seller_offers,
        tag="Selling",
        needs="seller",
        scopes=["catalog:read"],
    ),
    PublicRoute(
        "POST",
        "/seller/offers",
        SellerProductsApi.offer_product,
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
        refuses=["offer_exists", "sku_taken", "not_found"],
    ),
    PublicRoute(
        "GET",
        "/seller/offers/{offer_id}/featured",
        SellerProductsApi.offer_standing,
        tag="Selling",
        needs="seller",
        scopes=["catalog:read"],
    ),
    PublicRoute(
        "PATCH",
        "/seller/offers/{offer_id}",
        SellerProductsApi.change_offer,
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
    ),
    PublicRoute(
        "GET",
        "/seller/stock/{offer_id}",
        SellerProductsApi.stock,
        tag="Selling",
        needs="seller",
        scopes=["catalog:read", "stock:write"],
        shows=StockShown,
    ),
    PublicRoute(
        "PUT",
        "/seller/stock/{offer_id}",
        SellerProductsApi.count_stock,
        tag="Selling",
        needs="seller",
        scopes=["stock:write"],
        shows=StockShown,
        refuses=["condition_missing", "stale"],
        headers={"If-Match": "The ETag of the stock that was counted, where there is some already."},
    ),
]


class OfferRow(NamedTuple):
    """An offer on the desk."""

    offer_id: OfferId
    product_id: Any
    title: str
    image_url: str
    price: int
    currency: str
    status: str
    on_hand: int
    reserved: int
    version: int
    hidden_because: str
    price_now: int
    was_price: int | None


class PriceForm(Struct, frozen=True):
    price: TypedPrice


class StatusForm(Struct, frozen=True):
    status: Status


class StockForm(StockCount, frozen=True, kw_only=True):
    """So many were counted; `version` is the stock's that was shown."""

    version: int


class SellerProductPages:
    """A seller's products as a table, and the forms of one."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._categories = pages.categories
        self._shop = shop
        self._currency = shop.settings.currency

    async def products(
        self,
        request: Request,
        refused: RefusalMessage | None = None,
        status: int = 200,
        back: str = "",
        price_form: Form | None = None,
        stock_form: Form | None = None,
    ) -> Response:
        _, seller_id = await seller_of(request)
        chosen = choice(back or request.query_params, _PRODUCTS)
        after = choice(back or request.query_params, AFTER).get("after", "")
        offers = await self._offers(seller_id, chosen, id_of(after, OfferId) if after else None, A_PAGE)
        last = offers[-1].offer_id if len(offers) == A_PAGE else None
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "products",
            seller_id,
            status,
            offers=await self._rows(seller_id, offers),
            chosen=chosen,
            statuses=get_args(Status),
            back=urlencode({**chosen, "after": after}) if after else urlencode(chosen),
            more=link("/desk", chosen, after=last) if last else None,
            file=link("/desk/products.csv", chosen),
            prices=link("/desk/price-edits", {name: each for name, each in chosen.items() if name != "sort"}),
            currency=self._currency,
            words_max=CHOICE_MAX,
            sorts=[("" if sort == _SORT else sort, words) for sort, words in _SORTS.items()],
            price_form=price_form or Form(PriceForm),
            stock_form=stock_form or Form(StockForm),
            said=DONE.get(request.query_params.get("said", "")),
            refused=refused,
        )

    async def export(self, request: Request) -> Response:
        """Send the seller's offers as a CSV file: those that the table would show."""
        _, seller_id = await seller_of(request)
        chosen = choice(request.query_params, _PRODUCTS)

        async def page(last: OfferRow | None, limit: int) -> list[OfferRow]:
            offers = await self._offers(seller_id, chosen, last.offer_id if last else None, limit)
            return await self._rows(seller_id, offers)

        head = ["offer_id", "title", "price", "currency", "status", "stock", "held"]
        return as_csv("products.csv", head, (_cells(row) async for row in every(page)))

    async def _offers(
        self, seller_id: SellerId, chosen: TableQuery, after: OfferId | None, limit: int
    ) -> list[Offer]:
        status, sort = (cast(Any, chosen.get(name)) for name in ("status", "sort"))
        words = chosen.get("q", "")
        return await self._shop.catalog.of_seller(seller_id, after, limit, words, status, sort or _SORT)

    async def _rows(self, seller_id: SellerId, offers: list[Offer]) -> list[OfferRow]:
        owned = await self._shop.inventory.owned(seller_id, [offer.offer_id for offer in offers])
        stock = {each.offer_id: each for each in owned}
        return [_row(offer, stock.get(offer.offer_id)) for offer in offers]

    async def change_offer(self, request: Request) -> Response:
        form = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        offer_id = id_of(request.path_params["offer_id"], OfferId)
        back = form.get("back", "")
        asked = read_form(form, PriceForm if "price" in form else StatusForm, currency=self._currency)
        if isinstance(asked, FormErrors):
            shown = Form(PriceForm, form, asked, at=offer_id)
            return await self.products(request, None, 422, back, price_form=shown)
        price, status = (asked.price, None) if isinstance(asked, PriceForm) else (None, asked.status)
        try:
            await self._shop.catalog.change_offer(seller_id, offer_id, price, status)
        except Refusal as refused:
            shown = Form(PriceForm, form, errors_of(refused), at=offer_id)
            message = None if shown.errors else message_of(refused)
            return await self.products(request, message, refused.status, back, price_form=shown)
        said = "price" if price is not None else "status"
        return self._pages.redirect(request, _back_to(form, said, offer_id))

    async def count(self, request: Request) -> Response:
        form = await self._pages.form(request)
        _, seller_id = await seller_of(request)
        offer_id = id_of(request.path_params["offer_id"], OfferId)
        back = form.get("back", "")
        asked = read_form(form, StockForm)
        if isinstance(asked, FormErrors):
            shown = Form(StockForm, form, asked, at=offer_id)
            return await self.products(request, None, 422, back, stock_form=shown)
        try:
            await self._shop.inventory.count(seller_id, offer_id, asked.version, StockCount(asked.quantity))
        except Stale as refused:
            words = "Below is the stock as it is now: somebody bought meanwhile, or you counted elsewhere."
            return await self.products(request, RefusalMessage(str(refused), words), refused.status, back)
        except Refusal as refused:
            return await self.products(request, message_of(refused), refused.status, back)
        return self._pages.redirect(request, _back_to(form, "stock", offer_id))


def _row(offer: Offer, stock: Stock | None) -> OfferRow:
    return OfferRow(
        offer.offer_id,
        offer.product_id,
        offer.title,
        offer.image_url,
        offer.regular_price,
        offer.currency,
        offer.status,
        stock.on_hand if stock else 0,
        stock.reserved if stock else 0,
        stock.version if stock else 0,
        offer.hidden_because,
        offer.price,
        offer.was_price,
    )


def _cells(row: OfferRow) -> list[Any]:
    price = rendering.decimal(row.price, row.currency)
    return [row.offer_id, row.title, price, row.currency, row.status, row.on_hand, row.reserved]


def _back_to(form: dict[str, str], said: str, offer_id: OfferId) -> str:
    """Return to the same rows of the table, at this one."""
    return link("/desk", choice(form.get("back", ""), _PRODUCTS | AFTER), said=said) + f"#row-{offer_id}"


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = SellerProductPages(pages, shop)
    return [
        pages.route("/desk", desk.products),
        pages.route("/desk/products.csv", desk.export),
        pages.route("/desk/offers/{offer_id}", desk.change_offer, "POST"),
        pages.route("/desk/stock/{offer_id}", desk.count, "POST"),
    ]
