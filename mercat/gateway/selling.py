from starlette.requests import Request

from mercat import money
from mercat.catalog import NewProduct, Offer, ProductChange
from mercat.checkout import Ship, Track
from mercat.fulfilment import SellerOrder, SellerStatus
from mercat.gateway import shapes
from mercat.gateway.buying import shipment_shown
from mercat.gateway.idempotency import key_of
from mercat.ids import OfferId, OrderId, ProductId, SellerId, ShipmentId
from mercat.inventory import Count, Stock
from mercat.kit.refusals import ConditionMissing, Forbidden, NotFound, Stale
from mercat.kit.rpc import Answer, Caller
from mercat.services import Services


class Selling:
    """A seller's products, stock, orders and shipments."""

    def __init__(self, shop: Services) -> None:
        self._shop = shop

    async def register_seller(self, caller: Caller, seller: shapes.NewSeller) -> shapes.SellerMade:
        """Makes this account a seller's, at once and in this session too."""
        seller_id = await self._shop.sellers.register(caller.user_id, seller.name)
        await self._shop.accounts.grant(caller.user_id, "seller", seller_id)
        return shapes.SellerMade(seller_id, seller.name)

    async def list_product(
        self, caller: Caller, listing: shapes.ListingAsk, request: Request
    ) -> shapes.ListingMade:
        """Puts a product on sale, with so many in stock."""
        key = key_of(request)
        listed = await self._shop.sellers.list_product(
            _seller(caller),
            NewProduct(
                title=listing.title,
                description=listing.description,
                category=listing.category,
                brand=listing.brand,
                price=shapes.minor(listing.price, listing.currency, "/price"),
                currency=listing.currency,
                attributes=listing.attributes,
                images=listing.images,
            ),
            listing.quantity,
            f"api/{key}" if key else None,
        )
        return shapes.ListingMade(listed.product_id, listed.sku_id, listed.offer_id)

    async def change_product(
        self, caller: Caller, product_id: ProductId, change: ProductChange
    ) -> shapes.ProductChanged:
        """Another title, text, category, brand, attributes or pictures; what is not sent stays as it is."""
        await self._shop.catalog.change_product(_seller(caller), product_id, change)
        return shapes.ProductChanged(product_id)

    async def seller_offers(
        self, caller: Caller, limit: shapes.Limit = 20, cursor: OfferId | None = None
    ) -> shapes.SellerOffersShown:
        """One's own offers, with what is in stock of each."""
        seller_id = _seller(caller)
        offers = await self._shop.catalog.of_seller(seller_id, cursor, limit)
        shelves = await self._shop.inventory.owned(seller_id, [offer.offer_id for offer in offers])
        stock = {shelf.offer_id: shelf for shelf in shelves}
        return shapes.SellerOffersShown(
            [_offer(offer, stock.get(offer.offer_id)) for offer in offers],
            str(offers[-1].offer_id) if len(offers) == limit else None,
        )

    async def change_offer(
        self, caller: Caller, offer_id: OfferId, change: shapes.OfferChange
    ) -> shapes.SellerOfferShown:
        """Another price, on sale, paused or a draft: at once."""
        seller_id = _seller(caller)
        price = (
            shapes.minor(change.price, self._shop.settings.currency, "/price")
            if shapes.given(change.price)
            else None
        )
        offer = await self._shop.catalog.change_offer(seller_id, offer_id, price, change.status)
        [shelf] = await self._shop.inventory.owned(seller_id, [offer_id]) or [None]
        return _offer(offer, shelf)

    async def stock(self, caller: Caller, offer_id: OfferId) -> Answer:
        """What stands on the shelf. Its ETag is what changing it needs."""
        for stock in await self._shop.inventory.owned(_seller(caller), [offer_id]):
            return _stock(stock)
        raise NotFound("You have no such offer.")

    async def count_stock(self, caller: Caller, request: Request, offer_id: OfferId, count: Count) -> Answer:
        """Sets what was counted, if nobody changed the shelf since: If-Match has the ETag that was read."""
        try:
            version = _version(request.headers.get("if-match"))
        except Stale:
            await self.stock(caller, offer_id)  # NotFound, where it is another's
            raise
        return _stock(await self._shop.inventory.count(_seller(caller), offer_id, version, count))

    async def seller_orders(
        self,
        caller: Caller,
        status: SellerStatus | None = None,
        limit: shapes.Limit = 20,
        cursor: OrderId | None = None,
    ) -> shapes.SellerOrdersShown:
        """Orders with something of one's own in them: those lines, and where they go."""
        orders = await self._shop.fulfilment.orders_of_seller(_seller(caller), status, cursor, limit)
        return shapes.SellerOrdersShown(
            [_order(order) for order in orders],
            str(orders[-1].order_id) if len(orders) == limit else None,
        )

    async def ship(self, caller: Caller, parcel: Ship) -> shapes.ShipmentMade:
        """Hands a parcel over to a carrier."""
        return shapes.ShipmentMade((await self._shop.checkout.ship(caller, parcel)).shipment_id)

    async def parcel_seen(self, caller: Caller, shipment_id: ShipmentId, seen: Track) -> shapes.ShipmentShown:
        """Says where a parcel has come to; it never goes back."""
        return shipment_shown(await self._shop.checkout.track(caller, shipment_id, seen))


def _seller(caller: Caller) -> SellerId:
    if caller.seller_id is None:
        raise Forbidden("Only a seller may do this.")
    return caller.seller_id


def _order(order: SellerOrder) -> shapes.SellerOrderShown:
    currency = order.currency
    return shapes.SellerOrderShown(
        order_id=order.order_id,
        status=order.status,
        created_at=order.placed_at,
        currency=currency,
        lines=[
            shapes.SellerLineShown(
                order_line_id=line.order_line_id,
                product_id=line.product_id,
                offer_id=line.offer_id,
                title=line.title,
                quantity=line.quantity,
                shipped=line.shipped,
                unit_price=money.shown(line.unit_price, currency),
                total=money.shown(line.total, currency),
            )
            for line in order.lines
        ],
        shipping_address=order.address,
        estimated_delivery=order.estimated_delivery,
        shipments=[shipment_shown(shipment) for shipment in order.shipments],
    )


def _offer(offer: Offer, stock: Stock | None) -> shapes.SellerOfferShown:
    return shapes.SellerOfferShown(
        offer_id=offer.offer_id,
        product_id=offer.product_id,
        title=offer.title,
        price=money.shown(offer.price, offer.currency),
        currency=offer.currency,
        status=offer.status,
        quantity=stock.on_hand if stock else 0,
        available=stock.available if stock else 0,
    )


def _stock(stock: Stock) -> Answer:
    shown = shapes.StockShown(
        offer_id=stock.offer_id,
        quantity=stock.on_hand,
        reserved=stock.reserved,
        available=stock.available,
    )
    return Answer(shown, headers={"ETag": f'"{stock.version}"'})


def _version(if_match: str | None) -> int:
    """The version behind an ETag of ours; one that is not ours matches nothing."""
    if if_match is None:
        raise ConditionMissing
    digits = if_match.strip().removeprefix("W/").strip('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise Stale
    return int(digits)
