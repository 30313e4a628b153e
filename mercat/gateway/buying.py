import asyncio

from starlette.requests import Request

from mercat import money
from mercat.cart import CartView
from mercat.checkout import Buy, Return, Returned, Said
from mercat.fulfilment import Shipment
from mercat.gateway import shapes
from mercat.gateway.idempotency import key_of
from mercat.ids import AddressId, OrderId
from mercat.kit.refusals import BadRequest, Invalid
from mercat.kit.rpc import Answer, Caller, read
from mercat.orders import Order
from mercat.payments import Payment, Webhook, declaration
from mercat.services import Services


class Buying:
    """The cart, and the way from there to an order."""

    def __init__(self, shop: Services) -> None:
        self._shop = shop

    async def cart(self, caller: Caller) -> shapes.CartShown:
        """The cart with today's prices, and what stands between it and buying."""
        return _cart(await self._shop.cart.show(caller.user_id))

    async def add_item(self, caller: Caller, item: shapes.AddItem) -> shapes.CartShown:
        """Adds to what is in the cart already. A product means its featured offer."""
        offer_id = item.offer_id
        if offer_id is None:
            if item.product_id is None:
                raise Invalid("Say which product or offer.", pointer="/product_id")
            offer_id = await self._shop.catalog.featured(item.product_id)
        return _cart(await self._shop.cart.add(caller.user_id, offer_id, item.quantity))

    async def change_item(self, caller: Caller, item: str, change: shapes.ChangeItem) -> shapes.CartShown:
        """Sets a line's quantity; 0 takes it out. The line is named by its product or its offer."""
        return _cart(await self._shop.cart.change(caller.user_id, item, change.quantity))

    async def remove_item(self, caller: Caller, item: str) -> shapes.CartShown:
        """Takes a line out of the cart."""
        return _cart(await self._shop.cart.remove(caller.user_id, item))

    async def shipping_methods(self, caller: Caller, address_id: AddressId) -> shapes.MethodsShown:
        """How an order can reach an address, for how much, and when."""
        address = await self._shop.accounts.address(caller.user_id, address_id)
        methods = await self._shop.fulfilment.methods(address.country, address.region or "")
        return shapes.MethodsShown(
            [
                shapes.MethodShown(
                    code=method.code,
                    name=method.name,
                    price=money.shown(method.price, method.currency),
                    currency=method.currency,
                    estimated_delivery=method.estimated_delivery,
                )
                for method in methods
            ]
        )

    async def quote(self, caller: Caller, ask: shapes.QuoteAsk) -> shapes.QuoteShown:
        """What the cart costs, sent there that way: honoured until it expires."""
        quote = await self._shop.checkout.quote(caller, ask.shipping_address_id, ask.shipping_method)
        shown = quote.currency
        return shapes.QuoteShown(
            quote_id=quote.quote_id,
            subtotal=money.shown(quote.subtotal, shown),
            discount=money.shown(quote.discount, shown),
            shipping=money.shown(quote.shipping, shown),
            tax=money.shown(quote.tax, shown),
            total=money.shown(quote.total, shown),
            currency=shown,
            expires_at=quote.expires_at,
        )

    async def buy(self, caller: Caller, request: Request, ask: shapes.CheckoutAsk) -> Answer:
        """Buys the cart, once a key. A 202 is followed by asking again with the same key and body."""
        key = key_of(request)
        if key is None:
            raise BadRequest("Send an Idempotency-Key of your own making: the same one when you try again.")
        expected = ask.expected_total
        said = await self._shop.checkout.buy(
            caller,
            key,
            Buy(
                shipping_address_id=ask.shipping_address_id,
                payment_method_id=ask.payment_method_id,
                shipping_method=ask.shipping_method,
                quote_id=ask.quote_id,
                email=ask.email,
                flash_pass=_flash_pass(request),
                expected_total=(
                    shapes.minor(expected, self._shop.settings.currency, "/expected_total")
                    if shapes.given(expected)
                    else None
                ),
            ),
        )
        return _said(said)

    async def provider_notice(self, provider: str, request: Request) -> shapes.NoticeTaken:
        """Take a webhook of the payment provider, signed in the provider's own header.

        The checkout goes on; twice changes nothing."""
        signature = request.headers.get(declaration(self._shop.settings).signature_header, "")
        webhook = Webhook(provider, await read(request, needed=False), signature)
        receipt = await self._shop.checkout.hear(webhook)
        return shapes.NoticeTaken(duplicate=receipt.done)

    async def orders(
        self,
        caller: Caller,
        page: shapes.Page = 1,
        limit: shapes.Limit = 20,
        cursor: shapes.Cursor | None = None,
    ) -> shapes.OrdersShown:
        """One's own orders, newest first."""
        people = await self._shop.checkout.people(caller)
        found = await self._shop.orders.list_of(people, page, limit, cursor)
        return shapes.OrdersShown(
            [
                shapes.OrderSummaryShown(
                    order_id=order.order_id,
                    status=order.status,
                    total=money.shown(order.total, order.currency),
                    currency=order.currency,
                    created_at=order.created_at,
                    item_count=order.item_count,
                    title=order.title,
                    image_url=order.image_url,
                )
                for order in found.orders
            ],
            found.total,
            page,
            -(-found.total // limit),
            found.next_cursor,
        )

    async def order(self, caller: Caller, order_id: OrderId) -> shapes.OrderShown:
        """One of one's own orders: lines, payments, parcels and all that happened."""
        people = await self._shop.checkout.people(caller)
        return await self._whole(await self._shop.orders.order(order_id, people))

    async def cancel(self, caller: Caller, order_id: OrderId) -> shapes.OrderShown:
        """Cancels an order that has not begun to ship, and pays it back. Again changes nothing."""
        return await self._whole(await self._shop.checkout.cancel(caller, order_id))

    async def return_items(self, caller: Caller, order_id: OrderId, goods: Return) -> Returned:
        """Sends back some of what was shipped; what it cost is paid back."""
        return await self._shop.checkout.return_(caller, order_id, goods)

    async def _whole(self, order: Order) -> shapes.OrderShown:
        payments, shipments = await asyncio.gather(
            self._shop.payments.of_order(order.order_id), self._shop.fulfilment.of_order(order.order_id)
        )
        currency = order.currency
        return shapes.OrderShown(
            order_id=order.order_id,
            status=order.status,
            subtotal=money.shown(order.subtotal, currency),
            discount=money.shown(order.discount, currency),
            shipping=money.shown(order.shipping, currency),
            tax=money.shown(order.tax, currency),
            total=money.shown(order.total, currency),
            currency=currency,
            shipping_method=order.shipping_method,
            estimated_delivery=order.estimated_delivery,
            shipping_address=order.address,
            created_at=order.created_at,
            lines=[
                shapes.OrderLineShown(
                    order_line_id=line.order_line_id,
                    product_id=line.product_id,
                    offer_id=line.offer_id,
                    seller_id=line.seller_id,
                    title=line.title,
                    image_url=line.image_url,
                    quantity=line.quantity,
                    shipped=line.shipped,
                    returned=line.returned,
                    unit_price=money.shown(line.unit_price, currency),
                    total=money.shown(line.total, currency),
                )
                for line in order.lines
            ],
            payments=[_payment(payment) for payment in payments],
            shipments=[shipment_shown(shipment) for shipment in shipments],
            history=[shapes.HappeningShown(past.what, past.who, past.at) for past in order.history],
        )


def _flash_pass(request: Request) -> str | None:
    given = request.headers.get("flash-pass")
    return given[:2_000] if given else None


def _said(said: Said) -> Answer:
    headers: dict[str, str] = {}
    if said.replayed:
        headers["Idempotent-Replayed"] = "true"
    if said.retry_after is not None:
        headers["Retry-After"] = str(said.retry_after)
    kind = "application/problem+json" if said.status >= 400 else "application/json"
    return Answer(raw=said.body, status=said.status, headers=headers, media_type=kind)


def _cart(view: CartView) -> shapes.CartShown:
    currency = view.currency
    return shapes.CartShown(
        cart_id=view.cart_id,
        items=[
            shapes.CartLineShown(
                product_id=item.product_id,
                offer_id=item.offer_id,
                title=item.title,
                quantity=item.quantity,
                price=money.shown(item.price, currency),
                price_at_add=money.shown(item.price_at_add, currency),
                line_total=money.shown(item.line_total, currency),
                image_url=item.image_url,
            )
            for item in view.items
        ],
        subtotal=money.shown(view.subtotal, currency),
        currency=currency,
        item_count=view.item_count,
        problems=[
            shapes.CartProblem(
                code=problem.code,
                offer_id=problem.offer_id,
                detail=problem.detail,
                available=problem.available,
                price=None if problem.price is None else money.shown(problem.price, currency),
            )
            for problem in view.problems
        ],
    )


def _payment(payment: Payment) -> shapes.PaymentShown:
    currency = payment.currency
    return shapes.PaymentShown(
        payment_id=payment.payment_id,
        status=payment.status,
        amount=money.shown(payment.amount, currency),
        currency=currency,
        refunds=[
            shapes.RefundShown(refund.refund_id, money.shown(refund.amount, currency), refund.status)
            for refund in payment.refunds
        ],
    )


def shipment_shown(shipment: Shipment) -> shapes.ShipmentShown:
    return shapes.ShipmentShown(
        shipment_id=shipment.shipment_id,
        seller_id=shipment.seller_id,
        status=shipment.status,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        lines=[shapes.ParcelLineShown(line.order_line_id, line.quantity) for line in shipment.lines],
        events=[shapes.ParcelEventShown(event.status, event.location, event.at) for event in shipment.events],
    )
