import asyncio
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Any, NamedTuple

import asyncpg
import structlog
from msgspec import structs

from mercat import ids
from mercat.accounts import Accounts, Address
from mercat.cart import Basket, Cart
from mercat.catalog import Catalog, Offer
from mercat.checkout.afterwards import Afterwards
from mercat.checkout.messages import (
    Buy,
    CartEmpty,
    CheckoutInProgress,
    Gate,
    Health,
    KeyReused,
    NotAdmitted,
    PriceChanged,
    Quote,
    Record,
    Said,
)
from mercat.checkout.saga import Saga, decided, patiently, pending
from mercat.events import OrderLine
from mercat.fulfilment import Fulfilment, ShippingMethod
from mercat.ids import AddressId, CheckoutId, LineId, OfferId, OrderId, PaymentMethodId, UserId
from mercat.inventory import Inventory, Line, OutOfStock
from mercat.kit import clock, codec, sql
from mercat.kit.batching import AWAY, Coalescer
from mercat.kit.refusals import BadRequest, Invalid, NotFound, Overloaded
from mercat.kit.rpc import IN_BODY, Caller
from mercat.kit.text import normal_text
from mercat.money import shown
from mercat.orders import NewOrder, Orders
from mercat.payments import ChallengeOutcome, Payments, SellerPart, Webhook, WebhookReceipt
from mercat.pricing import Basket as PricedBasket
from mercat.pricing import PricedLine, Pricing, Quoted, QuoteExpired, Totals
from mercat.settings import Settings

queries = sql.load("mercat.checkout")
log = structlog.get_logger("mercat.checkout")
_KEY_MAX = 255
_PATIENCE_S = 10.0
_NOTICES_AT_ONCE = 50
_NOTICE_TRIES_MAX = 900


class _Begin(NamedTuple):
    checkout_id: int
    user_id: int
    key: str
    fingerprint: bytes
    cart_id: int
    record: str
    begun_at: datetime
    flash_pass: str | None


class Checkout(Afterwards):
    def __init__(
        self,
        db: asyncpg.Pool,
        accounts: Accounts,
        catalog: Catalog,
        cart: Cart,
        pricing: Pricing,
        fulfilment: Fulfilment,
        inventory: Inventory,
        payments: Payments,
        orders: Orders,
        settings: Settings,
    ) -> None:
        super().__init__(db, accounts, fulfilment, inventory, payments, orders, settings)
        self._catalog = catalog
        self._cart = cart
        self._pricing = pricing
        self.gate: Gate | None = None
        self.saga = Saga(db, inventory, payments, orders, cart, settings)
        self._begin: Coalescer[_Begin, bool] = Coalescer(self._begin_many, batch_max=300)

    async def keep_card(
        self, caller: Caller, token: Annotated[str, IN_BODY], once: bool = False
    ) -> PaymentMethodId:
        """Keeps a provider's token as a way to pay; the same one again is the same way. A guest's may be for
        one purchase, as is one that is kept `once`."""
        owner = None if caller.guest or once else caller.user_id
        card = await self._payments.keep_card(token, owner)
        for known in await self._accounts.payment_methods(caller.user_id):
            if known.token == card.token:
                return known.payment_method_id
        return await self._accounts.add_payment_method(
            caller.user_id, card.token, card.brand, card.last4, card.single_use
        )

    async def quote(self, caller: Caller, shipping_address_id: AddressId, shipping_method: str) -> Quote:
        """What the cart costs at this address, honoured until it expires."""
        basket = await self._filled(caller.user_id)
        address = await self._address(caller.user_id, shipping_address_id)
        method = await self._method(address, shipping_method)
        offers = await self._for_sale(basket)
        lines = [
            PricedLine(line.offer_id, line.quantity, offers[line.offer_id].price) for line in basket.lines
        ]
        totals = await self._total(lines, address, method)
        expires_at = datetime.fromtimestamp(
            clock.now().timestamp() + self._settings.quote_s, tz=clock.now().tzinfo
        )
        quote_id = await self._pricing.seal(
            Quoted(
                caller.user_id,
                basket.cart_id,
                shipping_address_id,
                shipping_method,
                lines,
                totals,
                expires_at,
            )
        )
        return Quote(
            quote_id=quote_id,
            subtotal=totals.subtotal,
            shipping=totals.shipping,
            tax=totals.tax,
            discount=totals.discount,
            total=totals.total,
            currency=self._settings.currency,
            expires_at=expires_at,
        )

    async def buy(self, caller: Caller, key: str, ask: Buy) -> Said:
        """Buys what is in the caller's cart, once a key. A key's answer never changes once it is final."""
        if not 1 <= len(key) <= _KEY_MAX or not key.isprintable():
            raise BadRequest(
                "Idempotency-Key must be 1 to 255 printable characters.", pointer="/Idempotency-Key"
            )
        what = ask if ask.flash_pass is None else structs.replace(ask, flash_pass=None)
        fingerprint = blake2b(codec.encode(what), digest_size=16).digest()
        flash_pass = None
        try:
            record = await self._prepare(caller, ask)
            if self.gate is not None:
                flash_pass = await self.gate.admit(record.order, record.token, ask.flash_pass)
        except (
            *(Invalid, NotFound, CartEmpty, QuoteExpired, OutOfStock, PriceChanged, NotAdmitted),
            CheckoutInProgress,  # it is perhaps this key's purchase that has the pass
        ):
            if standing := await self._standing(caller.user_id, key):
                return await self._again(standing, fingerprint)
            raise
        order = record.order
        begun = await self._begin(
            _Begin(
                order.checkout_id,
                caller.user_id,
                key,
                fingerprint,
                order.cart_id,
                codec.inner_text(record),
                order.placed_at,
                flash_pass,
            )
        )
        if begun:
            return await self._carry_out(record, 1)
        if self.gate is not None and flash_pass is not None:
            await self.gate.give_back(flash_pass, order.checkout_id)
        if standing := await self._standing(caller.user_id, key):
            return await self._again(standing, fingerprint)
        return await self._cart_is_taken(record)

    async def outcomes(self, checkout_ids: list[CheckoutId]) -> dict[CheckoutId, str]:
        """What purchases came to: bought, refused, running, or never: they may not begin any more. Those that
        have not begun are left out."""
        rows = await self._db.fetch(queries.outcomes, checkout_ids)
        return {CheckoutId(row["checkout_id"]): row["outcome"] for row in rows}

    async def never_begin(self, checkout_ids: Annotated[list[CheckoutId], IN_BODY]) -> None:
        """Of these, what has not begun by now never will."""
        await self._db.execute(queries.never_begin, checkout_ids, clock.now())

    async def health(self, seconds: float) -> Health:
        """How buying did lately."""
        since = clock.now() - timedelta(seconds=seconds)
        first = (int(since.timestamp() * 1_000) - ids.EPOCH_MS) << 22
        row: Any = await self._db.fetchrow(queries.health, first, since)
        return sql.row(Health, row)

    async def challenge(self, ticket: str, outcome: ChallengeOutcome) -> Said:
        """The shopper answered their bank; the purchase goes on from there."""
        checkout_id = await self._payments.answer_challenge(ticket, outcome)
        return await self.resume(checkout_id)

    async def resume(self, checkout_id: CheckoutId) -> Said:
        """Carries on a checkout that waits, or says what it came to."""
        standing = await self._db.fetchrow(queries.by_id, checkout_id)
        if standing is None:
            raise NotFound("There is no such purchase.")
        return await self._again(standing, standing["fingerprint"])

    async def hear(self, webhook: Webhook) -> WebhookReceipt:
        """A provider tells that something happened to a payment: its checkout goes on, and asks the provider
        how it stands. So a notice may come early, late, twice and in any order."""
        receipt = await self._payments.receive_webhook(webhook)
        if not receipt.done:
            await self._follow(receipt)
        return receipt

    async def keep_hearing(self) -> None:
        while await self.hear_waiting() >= _NOTICES_AT_ONCE:
            pass
        await asyncio.sleep(1)

    async def hear_waiting(self) -> int:
        """Takes up notices whose checkout was busy when they came; answers how many waited."""
        waiting = await self._payments.take_pending_webhooks()
        for receipt in waiting:
            try:
                await self._follow(receipt)
            except Exception:  # one that cannot be followed keeps no other waiting
                log.exception("a provider's notice could not be followed", notice=receipt.event_id)
                if receipt.tries >= _NOTICE_TRIES_MAX:
                    await self._payments.finish_webhook(receipt)
        return len(waiting)

    async def _follow(self, receipt: WebhookReceipt) -> None:
        try:
            if receipt.checkout_id is not None:
                await self.resume(receipt.checkout_id)
        except (CheckoutInProgress, Overloaded):
            if receipt.tries < _NOTICE_TRIES_MAX:
                return  # somebody works on it, perhaps without knowing yet: once more in a second
        except NotFound:
            pass  # not a checkout of this shop, or forgotten
        await self._payments.finish_webhook(receipt)

    async def _again(self, standing: Any, fingerprint: bytes) -> Said:
        """The same key again: the stored answer, or the purchase carried on where nobody works on it."""
        if standing["fingerprint"] != fingerprint:
            raise KeyReused
        if standing["status"] is not None:
            return Said(standing["status"], standing["body"], replayed=True)
        checkout_id, fence = standing["checkout_id"], standing["fence"]
        taken = fence and await self._db.fetchrow(
            queries.take_over, checkout_id, clock.now(), self.saga.lease, fence
        )
        if not taken:
            if answer := await self._answer(checkout_id):
                return answer
            raise CheckoutInProgress
        record = codec.decode(standing["record"], Record)
        return await self._carry_out(record, taken["fence"], taken["direction"], decided(taken["reason"]))

    async def _carry_out(
        self, record: Record, fence: int, direction: str | None = None, reason: Said | None = None
    ) -> Said:
        until = asyncio.get_running_loop().time() + _PATIENCE_S
        try:
            return await self.saga.carry_out(record, fence, direction, reason)
        except Overloaded:
            pass  # a part of the shop restarts: have patience, the steps may be asked again
        except CheckoutInProgress:
            if answer := await self._answer(record.order.checkout_id):
                return answer
            raise
        left = until - asyncio.get_running_loop().time()
        if left <= 0:  # a provider that hangs has used it up: recovery goes on, and the shopper looks again
            return pending(record)
        try:
            return await patiently(lambda: self._take_up(record, fence), left)
        except Overloaded:
            return pending(record)

    async def _take_up(self, record: Record, fence: int) -> Said:
        """Where did we stop? Asked of the database, for the answer to our last step may have been lost."""
        try:
            if answer := await self._answer(record.order.checkout_id):
                return answer
            row = await self._db.fetchrow(queries.by_id, record.order.checkout_id)
        except AWAY as error:
            raise Overloaded from error
        if row is None or row["fence"] != fence:
            raise CheckoutInProgress
        return await self.saga.carry_out(record, fence, row["direction"], decided(row["reason"]))

    async def _answer(self, checkout_id: CheckoutId) -> Said | None:
        row = await self._db.fetchrow(queries.answers, [checkout_id])
        return Said(row["status"], row["body"], replayed=True) if row else None

    async def _cart_is_taken(self, record: Record) -> Said:
        """Another checkout stands for this cart: it runs, or it has bought it (and the cart came back from an
        old copy, so its id is spent once more)."""
        order = record.order
        other = await self._db.fetchrow(queries.of_cart, order.cart_id)
        if other and other["status"] == 201:
            bought = codec.decode(other["record"], Record).order
            lines = [Line(line.offer_id, line.quantity) for line in bought.lines]
            await self._cart.spend(order.user_id, order.cart_id, lines)
            raise CartEmpty("What was in this cart has been bought already.")
        raise CheckoutInProgress

    async def _prepare(self, caller: Caller, ask: Buy) -> Record:
        """Everything the purchase needs, looked up once."""
        email = caller.email or normal_text(ask.email or "")
        if not email:
            raise Invalid("Say where to send the confirmation.", pointer="/email")
        basket = await self._filled(caller.user_id)
        address, token = await self._ways(caller.user_id, ask.shipping_address_id, ask.payment_method_id)
        method = await self._method(address, ask.shipping_method)
        offers = await self._for_sale(basket)
        if ask.quote_id:
            quoted = await self._honoured(caller, ask, basket)
            lines, totals = quoted.lines, quoted.totals
        else:
            lines = [
                PricedLine(line.offer_id, line.quantity, offers[line.offer_id].price) for line in basket.lines
            ]
            totals = await self._total(lines, address, method)
        if ask.expected_total is not None and ask.expected_total != totals.total:
            currency = self._settings.currency
            expected, now = shown(ask.expected_total, currency), shown(totals.total, currency)
            raise PriceChanged(expected_total=expected, total=now)
        return self._record(caller.user_id, email, basket, lines, offers, totals, address, method, token)

    def _record(
        self,
        user_id: UserId,
        email: str,
        basket: Basket,
        lines: list[PricedLine],
        offers: dict[OfferId, Offer],
        totals: Totals,
        address: Address,
        method: ShippingMethod,
        token: str,
    ) -> Record:
        bucket = user_id.bucket
        bought = [_line(line, offers[line.offer_id], bucket) for line in lines]
        sellers: dict[ids.SellerId, int] = {}
        for line in bought:
            sellers[line.seller_id] = sellers.get(line.seller_id, 0) + line.total
        order = NewOrder(
            order_id=ids.new(OrderId, bucket),
            user_id=user_id,
            checkout_id=ids.new(CheckoutId, bucket),
            cart_id=basket.cart_id,
            email=email,
            lines=bought,
            subtotal=totals.subtotal,
            discount=totals.discount,
            shipping=totals.shipping,
            tax=totals.tax,
            total=totals.total,
            currency=self._settings.currency,
            shipping_method=method.code,
            estimated_delivery=method.estimated_delivery,
            address=_label(address),
            placed_at=clock.now(),
        )
        return Record(order, token, [SellerPart(seller, amount) for seller, amount in sellers.items()])

    async def _filled(self, user_id: UserId) -> Basket:
        basket = await self._cart.basket(user_id)
        if not basket.lines:
            raise CartEmpty
        return basket

    async def _for_sale(self, basket: Basket) -> dict[OfferId, Offer]:
        offers = await self._catalog.offers([line.offer_id for line in basket.lines])
        for n, line in enumerate(basket.lines):
            offer = offers.get(line.offer_id)
            if offer is None or offer.status != "active":
                title = offer.title if offer else "Something in your cart"
                raise OutOfStock(
                    f"{title} is not for sale any more. Nothing was charged.",
                    offer_id=line.offer_id,
                    available=0,
                    pointer=f"/items/{n}",
                )
        return offers

    async def _honoured(self, caller: Caller, ask: Buy, basket: Basket) -> Quoted:
        """The quote, if it is this person's, for this cart as it is, this address and this delivery."""
        quoted = await self._pricing.honour(ask.quote_id or "")
        in_cart = {line.offer_id: line.quantity for line in basket.lines}
        same = (
            quoted.user_id == caller.user_id
            and quoted.cart_id == basket.cart_id
            and quoted.address_id == ask.shipping_address_id
            and quoted.shipping_method == ask.shipping_method
            and in_cart == {line.offer_id: line.quantity for line in quoted.lines}
        )
        if not same:
            raise QuoteExpired(pointer="/quote_id")
        return quoted

    async def _total(self, lines: list[PricedLine], address: Address, method: ShippingMethod) -> Totals:
        currency = self._settings.currency
        basket = PricedBasket(lines, method.price, currency, address.country, address.region or "")
        return await self._pricing.total(basket)

    async def _method(self, address: Address, code: str) -> ShippingMethod:
        for method in await self._fulfilment.methods(address.country, address.region or ""):
            if method.code == code:
                return method
        raise Invalid("There is no such shipping method for this address.", pointer="/shipping_method")

    async def _ways(
        self, user_id: UserId, address_id: AddressId, payment_method_id: PaymentMethodId
    ) -> tuple[Address, str]:
        address, method = await self._accounts.address_and_card(user_id, address_id, payment_method_id)
        return address, method.token

    async def _address(self, user_id: UserId, address_id: AddressId) -> Address:
        return await self._accounts.address(user_id, address_id)

    async def _standing(self, user_id: UserId, key: str) -> Any:
        return await self._db.fetchrow(queries.standing, [user_id], [key])

    async def _begin_many(self, asks: list[_Begin]) -> list[bool | Exception]:
        begun = {
            row[0] for row in await self._db.fetch(queries.begin_many, *sql.columns(asks), self.saga.lease)
        }
        return [ask.checkout_id in begun for ask in asks]


def _line(line: PricedLine, offer: Offer, bucket: int) -> OrderLine:
    return OrderLine(
        order_line_id=ids.new(LineId, bucket),
        product_id=offer.product_id,
        offer_id=line.offer_id,
        seller_id=offer.seller_id,
        title=offer.title,
        quantity=line.quantity,
        unit_price=line.unit_price,
        total=line.unit_price * line.quantity,
        image_url=offer.image_url,
    )


def _label(address: Address) -> dict[str, str]:
    parts = {
        "name": address.name,
        "line1": address.line1,
        "line2": address.line2,
        "city": address.city,
        "region": address.region,
        "postal_code": address.postal_code,
        "country": address.country,
        "phone": address.phone,
    }
    return {name: part for name, part in parts.items() if part}
