"""The seller's desk: products with price, stock and status, a list to upload, and orders to ship."""

from hashlib import blake2b
from typing import Any, NamedTuple, cast, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat.catalog import Catalog, NewProduct, Offer, OfferSort, Status
from mercat.checkout import Ship, Track
from mercat.fulfilment import SellerOrder, SellerStatus
from mercat.ids import OfferId, OrderId, ProductId, SellerId, ShipmentId
from mercat.inventory import Count, Stock
from mercat.kit import codec
from mercat.kit.refusals import Invalid, Refusal, Stale
from mercat.kit.rpc import Caller
from mercat.services import Services
from mercat.storefront import render
from mercat.storefront.aisles import Aisles
from mercat.storefront.goods import BadFieldError, as_form, change, draft, price_of, rows_of, whole
from mercat.storefront.tables import Choice, as_csv, choice, link
from mercat.storefront.visit import Trouble, Visits, shown_id, trouble

_A_PAGE = 50
_EXPORT_PAGE = 500
_EXPORT_PAGES_MAX = 100
_NEXT = ("in_transit", "out_for_delivery", "delivered", "exception")
_PRODUCTS: dict[str, tuple[str, ...]] = {"q": (), "status": get_args(Status), "sort": get_args(OfferSort)}
_ORDERS: dict[str, tuple[str, ...]] = {"status": get_args(SellerStatus)}
_AFTER: dict[str, tuple[str, ...]] = {"after": ()}
_SAID = {
    "price": "The new price stands, everywhere.",
    "stock": "The stock is set.",
    "listing": "Saved. Shoppers see it so within a second.",
    "status": "Done: shoppers see it so from now on.",
    "shipped": "Shipped. The buyer sees the parcel and its tracking number.",
    "marked": "Marked. The buyer sees it on the order.",
}


class Row(NamedTuple):
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


class BadRow(NamedTuple):
    row: int
    column: str
    words: str


class Report(NamedTuple):
    """What became of an uploaded list."""

    taken: int
    bad: list[BadRow]


class SellerDesk:
    def __init__(self, visits: Visits, aisles: Aisles, shop: Services) -> None:
        self._visits = visits
        self._aisles = aisles
        self._shop = shop
        self._catalog: Catalog = shop.catalog
        self._currency = shop.settings.currency

    async def sell(
        self, request: Request, refused: Refusal | None = None, form: dict[str, str] | None = None
    ) -> Response:
        caller = await self._visits.caller(request)
        if caller and caller.seller_id is not None:
            return self._visits.go(request, "/desk")
        return await self._visits.page(
            request,
            "sell.html",
            refused.status if refused else 200,
            caller=caller,
            form=form or {},
            errors={},
            refused=trouble(refused) if refused else None,
        )

    async def open_shop(self, request: Request) -> Response:
        form = await self._visits.form(request)
        caller = await self._visits.member(request)
        name = form.get("name", "").strip()
        try:
            if not 0 < len(name) <= 80:
                raise Invalid("A shop's name has 1 to 80 characters.")
            seller_id = await self._shop.sellers.register(caller.user_id, name)
            await self._shop.accounts.grant(caller.user_id, "seller", seller_id)
        except Refusal as refused:
            return await self.sell(request, refused, form)
        return self._visits.go(request, "/desk")

    # -- products

    async def products(
        self, request: Request, refused: Trouble | None = None, status: int = 200, back: str = ""
    ) -> Response:
        _, seller_id = await self._seller(request)
        chosen = choice(back or request.query_params, _PRODUCTS)
        after = choice(back or request.query_params, _AFTER).get("after", "")
        offers = await self._offers(seller_id, chosen, shown_id(after, OfferId) if after else None, _A_PAGE)
        last = offers[-1].offer_id if len(offers) == _A_PAGE else None
        return await self._page(
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
            currency=self._currency,
            said=_SAID.get(request.query_params.get("said", "")),
            refused=refused,
        )

    async def export(self, request: Request) -> Response:
        """The seller's offers as a CSV file: those that the table would show."""
        _, seller_id = await self._seller(request)
        chosen = choice(request.query_params, _PRODUCTS)
        rows, after = list[Row](), None
        for _ in range(_EXPORT_PAGES_MAX):
            offers = await self._offers(seller_id, chosen, after, _EXPORT_PAGE)
            rows += await self._rows(seller_id, offers)
            if len(offers) < _EXPORT_PAGE:
                break
            after = offers[-1].offer_id
        head = ["offer_id", "title", "price", "currency", "status", "stock", "held"]
        return as_csv("products.csv", head, map(_cells, rows))

    async def _offers(
        self, seller_id: SellerId, chosen: Choice, after: OfferId | None, limit: int
    ) -> list[Offer]:
        status, sort = (cast(Any, chosen.get(name)) for name in ("status", "sort"))
        words = chosen.get("q", "")
        return await self._catalog.of_seller(seller_id, after, limit, words, status, sort or "newest")

    async def _rows(self, seller_id: SellerId, offers: list[Offer]) -> list[Row]:
        owned = await self._shop.inventory.owned(seller_id, [offer.offer_id for offer in offers])
        stock = {each.offer_id: each for each in owned}
        return [_row(offer, stock.get(offer.offer_id)) for offer in offers]

    async def change_offer(self, request: Request) -> Response:
        form = await self._visits.form(request)
        _, seller_id = await self._seller(request)
        offer_id = shown_id(request.path_params["offer_id"], OfferId)
        try:
            price = price_of(form["price"], self._currency) if "price" in form else None
            status: Any = form.get("status")
            if status not in (None, "active", "paused", "draft"):
                raise Invalid("A status is active, paused or draft.")
            await self._catalog.change_offer(seller_id, offer_id, price, status)
        except Refusal as refused:
            return await self.products(request, trouble(refused), refused.status, form.get("back", ""))
        said = "price" if price is not None else "status"
        return self._visits.go(request, _back_to(form, said, offer_id))

    async def count(self, request: Request) -> Response:
        form = await self._visits.form(request)
        _, seller_id = await self._seller(request)
        offer_id = shown_id(request.path_params["offer_id"], OfferId)
        try:
            counted = Count(whole(form.get("quantity", ""), "The stock", 10_000_000))
            version = whole(form.get("version", ""), "The version", 2**62)
            await self._shop.inventory.count(seller_id, offer_id, version, counted)
        except Refusal as refused:
            words = Trouble(
                str(refused),
                "Below is the stock as it is now: somebody bought meanwhile, or you counted elsewhere.",
            )
            refusal = words if refused.status == 412 else trouble(refused)
            return await self.products(request, refusal, refused.status, form.get("back", ""))
        return self._visits.go(request, _back_to(form, "stock", offer_id))

    async def new(
        self,
        request: Request,
        form: dict[str, str] | None = None,
        errors: dict[str, str] | None = None,
        refused: Refusal | None = None,
    ) -> Response:
        _, seller_id = await self._seller(request)
        aisles = sorted((await self._aisles.all()).values(), key=lambda aisle: aisle.name)
        return await self._page(
            request,
            "new",
            seller_id,
            refused.status if refused else (422 if errors else 200),
            form=form or {},
            errors=errors or {},
            categories=aisles,
            currency=self._currency,
            refused=trouble(refused) if refused else None,
        )

    async def list_product(self, request: Request) -> Response:
        form = await self._visits.form(request)
        _, seller_id = await self._seller(request)
        try:
            product, quantity = draft(form, self._currency)
        except BadFieldError as bad:
            return await self.new(request, form, {bad.column: bad.words})
        try:
            await self._list(seller_id, product, quantity)
        except Refusal as refused:
            return await self.new(request, form, refused=refused)
        return self._visits.go(request, "/desk")

    async def edit(
        self,
        request: Request,
        form: dict[str, str] | None = None,
        errors: dict[str, str] | None = None,
        refused: Refusal | None = None,
    ) -> Response:
        _, seller_id = await self._seller(request)
        product_id = shown_id(request.path_params["product_id"], ProductId)
        listing = await self._catalog.listing(seller_id, product_id)
        aisles = sorted((await self._aisles.all()).values(), key=lambda aisle: aisle.name)
        return await self._page(
            request,
            "edit",
            seller_id,
            refused.status if refused else (422 if errors else 200),
            product_id=product_id,
            title=listing.title,
            form=form or as_form(listing, product_id),
            seen=listing.mark,
            errors=errors or {},
            categories=aisles,
            refused=trouble(refused) if refused else None,
        )

    async def save(self, request: Request) -> Response:
        form = await self._visits.form(request)
        _, seller_id = await self._seller(request)
        product_id = shown_id(request.path_params["product_id"], ProductId)
        listing = await self._catalog.listing(seller_id, product_id)
        try:
            wanted = change(form, listing, product_id)
            await self._catalog.change_product(seller_id, product_id, wanted, form.get("seen", ""))
        except Stale:
            words = "This listing was changed while you wrote. Below is what you wrote: save it to keep it."
            return await self.edit(request, form, refused=Stale(words))
        except BadFieldError as bad:
            return await self.edit(request, form, {bad.column: bad.words})
        except Refusal as refused:
            return await self.edit(request, form, refused=refused)
        return self._visits.go(request, "/desk?said=listing")

    async def upload(
        self, request: Request, report: Report | None = None, refused: Refusal | None = None
    ) -> Response:
        _, seller_id = await self._seller(request)
        status = refused.status if refused else (422 if report and report.bad else 200)
        trouble_ = trouble(refused) if refused else None
        return await self._page(request, "upload", seller_id, status, report=report, refused=trouble_)

    async def take_list(self, request: Request) -> Response:
        _, seller_id = await self._seller(request)
        content = await self._visits.upload(request, "file")
        try:
            rows = rows_of(content)
        except Refusal as refused:
            return await self.upload(request, refused=refused)
        file = blake2b(content, digest_size=16).hexdigest()
        return await self.upload(request, await self._take(seller_id, rows, file))

    async def _take(self, seller_id: SellerId, rows: list[dict[str, str]], file: str) -> Report:
        """List each row by itself: a bad one never keeps a good one out. The same file again, after a crash
        perhaps, lists what it has not listed yet."""
        taken, bad = 0, list[BadRow]()
        for number, row in enumerate(rows, start=2):  # the heading is row 1
            try:
                product, quantity = draft(row, self._currency)
                await self._list(seller_id, product, quantity, f"upload/{file}/{number}")
                taken += 1
            except BadFieldError as error:
                bad.append(BadRow(number, error.column, error.words))
            except Refusal as refusal:
                pointer = str(refusal.facts.get("pointer", "")).strip("/")
                bad.append(BadRow(number, pointer, str(refusal)))
        return Report(taken, bad)

    async def _list(
        self, seller_id: SellerId, draft: NewProduct, quantity: int, key: str | None = None
    ) -> None:
        await self._shop.sellers.list_product(seller_id, draft, quantity, key)

    # -- orders to ship

    async def orders(self, request: Request, refused: Trouble | None = None, status: int = 200) -> Response:
        _, seller_id = await self._seller(request)
        query = {} if refused else request.query_params
        chosen, after = choice(query, _ORDERS), choice(query, _AFTER).get("after", "")
        orders = await self._shop.fulfilment.orders_of_seller(
            seller_id, chosen.get("status"), shown_id(after, OrderId) if after else None, _A_PAGE
        )
        last = orders[-1].order_id if len(orders) == _A_PAGE else None
        return await self._page(
            request,
            "orders",
            seller_id,
            status,
            orders=[_order(order) for order in orders],
            chosen=chosen,
            statuses=_ORDERS["status"],
            more=link("/desk/orders", chosen, after=last) if last else None,
            said=_SAID.get(request.query_params.get("said", "")),
            refused=refused,
        )

    async def ship(self, request: Request) -> Response:
        form = await self._visits.form(request)
        caller, _ = await self._seller(request)
        order_id = shown_id(request.path_params["order_id"], OrderId)
        try:
            lines = [
                {"order_line_id": name.removeprefix("q-"), "quantity": quantity}
                for name, value in form.items()
                if name.startswith("q-") and (quantity := whole(value, "How many are packed", 9_999))
            ]
            if not lines:
                raise Invalid("Pack at least one thing.")
            carrier, number = form.get("carrier", "").strip(), form.get("tracking_number", "").strip()
            if not carrier or not number:
                raise Invalid(
                    "Say the carrier and the tracking number: the buyer wants to follow the parcel."
                )
            parcel: dict[str, Any] = {
                "order_id": order_id,
                "lines": lines,
                "carrier": carrier,
                "tracking_number": number,
            }
            await self._shop.checkout.ship(caller, codec.convert(parcel, Ship))
        except Refusal as refused:
            return await self.orders(request, trouble(refused), refused.status)
        return self._visits.go(request, "/desk/orders?said=shipped")

    async def mark(self, request: Request) -> Response:
        form = await self._visits.form(request)
        caller, _ = await self._seller(request)
        shipment_id = shown_id(request.path_params["shipment_id"], ShipmentId)
        try:
            seen = codec.convert(
                {"status": form.get("status"), "location": form.get("location") or None}, Track
            )
            await self._shop.checkout.track(caller, shipment_id, seen)
        except Refusal as refused:
            return await self.orders(request, trouble(refused), refused.status)
        return self._visits.go(request, "/desk/orders?said=marked")

    async def _seller(self, request: Request) -> tuple[Caller, SellerId]:
        caller = await self._visits.with_role(request, "seller")
        assert caller.seller_id is not None
        return caller, caller.seller_id

    async def _page(
        self, request: Request, here: str, seller_id: SellerId, status: int, **shown: Any
    ) -> Response:
        seller = await self._shop.sellers.seller(seller_id)
        base: dict[str, Any] = {"desk": "seller", "desk_name": seller.name, "here": here}
        return await self._visits.page(request, f"desk_{here}.html", status, **(base | shown))


def pages(visits: Visits, aisles: Aisles, shop: Services) -> list[Route]:
    desk = SellerDesk(visits, aisles, shop)
    return [
        visits.route("/sell", desk.sell),
        visits.route("/sell", desk.open_shop, "POST"),
        visits.route("/desk", desk.products),
        visits.route("/desk/products.csv", desk.export),
        visits.route("/desk/offers/{offer_id}", desk.change_offer, "POST"),
        visits.route("/desk/stock/{offer_id}", desk.count, "POST"),
        visits.route("/desk/products/{product_id}", desk.edit),
        visits.route("/desk/products/{product_id}", desk.save, "POST"),
        visits.route("/desk/new", desk.new),
        visits.route("/desk/new", desk.list_product, "POST"),
        visits.route("/desk/upload", desk.upload),
        visits.route("/desk/upload", desk.take_list, "POST"),
        visits.route("/desk/orders", desk.orders),
        visits.route("/desk/orders/{order_id}/ship", desk.ship, "POST"),
        visits.route("/desk/shipments/{shipment_id}", desk.mark, "POST"),
    ]


def _row(offer: Offer, stock: Stock | None) -> Row:
    return Row(
        offer.offer_id,
        offer.product_id,
        offer.title,
        offer.image_url,
        offer.price,
        offer.currency,
        offer.status,
        stock.on_hand if stock else 0,
        stock.reserved if stock else 0,
        stock.version if stock else 0,
    )


def _cells(row: Row) -> list[Any]:
    price = render.decimal(row.price, row.currency)
    return [row.offer_id, row.title, price, row.currency, row.status, row.on_hand, row.reserved]


def _back_to(form: dict[str, str], said: str, offer_id: OfferId) -> str:
    """The same rows of the table, at this one."""
    return link("/desk", choice(form.get("back", ""), _PRODUCTS | _AFTER), said=said) + f"#row-{offer_id}"


def _order(order: SellerOrder) -> dict[str, Any]:
    """An order as the packing table needs it: what is left to ship, and what each parcel may do next."""
    lines = [
        {
            "order_line_id": line.order_line_id,
            "title": line.title,
            "quantity": line.quantity,
            "left": max(0, line.quantity - line.shipped) if order.status != "cancelled" else 0,
        }
        for line in order.lines
    ]
    return {
        "order_id": order.order_id,
        "placed_at": order.placed_at,
        "status": order.status,
        "address": order.address,
        "estimated_delivery": order.estimated_delivery,
        "lines": lines,
        "open": any(line["left"] for line in lines),
        "shipments": [
            {
                "shipment_id": parcel.shipment_id,
                "carrier": parcel.carrier,
                "tracking_number": parcel.tracking_number,
                "status": parcel.status,
                "next": _following(parcel.status),
            }
            for parcel in order.shipments
        ],
    }


def _following(status: str) -> list[str]:
    if status == "delivered":
        return []
    way = _NEXT[:3]
    return [*(way[way.index(status) + 1 :] if status in way else way), "exception"]
