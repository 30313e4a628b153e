import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import asyncpg
import msgspec
import structlog

from mercat import ids
from mercat.cart import scripts
from mercat.cart.messages import (
    LINES_MAX,
    Basket,
    BasketLine,
    CartFull,
    CartLine,
    CartView,
    LineProblem,
)
from mercat.catalog import Catalog, Offer
from mercat.ids import CartId, OfferId, ProductId, UserId, parse
from mercat.inventory import Inventory, Line, Stock
from mercat.kit import clock, codec, sql
from mercat.kit.batching import Coalescer
from mercat.kit.refusals import NotFound
from mercat.kit.valkey import Store
from mercat.money import minor
from mercat.quantity import QUANTITY_MAX, Quantity
from mercat.settings import Settings

log = structlog.get_logger("mercat.cart")
queries = sql.load("mercat.cart")
Named = TypeVar("Named", OfferId, ProductId)
_TTL_S = 30 * 24 * 3_600
_DIRTY = "carts:changed"
_COPY_MAX = 500


class _Kept(msgspec.Struct):
    """A line as Valkey keeps it."""

    qty: Quantity
    price: int
    added: str


class _Roughly(msgspec.Struct):
    """A line as something else may have written it: numbers as texts, prices with decimals, no time."""

    qty: Decimal
    price: Decimal = Decimal(0)
    added: str = ""


_decode = msgspec.json.Decoder(_Kept).decode
_decode_roughly = msgspec.json.Decoder(_Roughly, strict=False).decode


class Cart:
    def __init__(
        self, db: asyncpg.Pool, store: Store, catalog: Catalog, inventory: Inventory, settings: Settings
    ) -> None:
        self._db = db
        self._store = store
        self._catalog = catalog
        self._inventory = inventory
        self._settings = settings
        self._kept: Coalescer[UserId, Any] = Coalescer(self._kept_many)

    async def add(self, user_id: UserId, offer_id: OfferId, quantity: int) -> CartView:
        """Adds to what is there; remembers the price of now. A line holds 9,999 at most."""
        offer = (await self._catalog.offers([offer_id])).get(offer_id)
        if offer is None:
            raise NotFound("There is no such offer.", pointer="/offer_id")
        added = clock.now().isoformat(timespec="seconds")
        args = (str(offer_id), quantity, offer.price, added, QUANTITY_MAX, LINES_MAX)
        if not await self._run(scripts.ADD, user_id, *args):
            raise CartFull
        return await self.show(user_id)

    async def change(self, user_id: UserId, item: str, quantity: int) -> CartView:
        """Sets a line's quantity; 0 removes it. The line is named by its offer or its product."""
        offer_id = await self._line_of(user_id, item)
        if not await self._run(scripts.CHANGE, user_id, str(offer_id), quantity):
            raise NotFound("The cart has no such line.")
        return await self.show(user_id)

    async def remove(self, user_id: UserId, item: str) -> CartView:
        return await self.change(user_id, item, 0)

    async def basket(self, user_id: UserId) -> Basket:
        """The lines as they were put in: what checkout begins with."""
        cart_id, lines = await self._run(scripts.SHOW, user_id)
        read = (self._read(lines[n], lines[n + 1]) for n in range(0, len(lines), 2))
        kept = [line for line in read if line]
        return Basket(CartId(cart_id), [BasketLine(offer, line.qty, line.price) for offer, line in kept])

    async def show(self, user_id: UserId) -> CartView:
        """The cart with today's prices, and what stands between it and buying."""
        basket = await self.basket(user_id)
        offer_ids = [line.offer_id for line in basket.lines]
        offers: dict[OfferId, Offer] = {}
        stock: dict[OfferId, Stock] = {}
        if offer_ids:
            offers, stock = await asyncio.gather(
                self._catalog.offers(offer_ids), self._inventory.stock(offer_ids)
            )
        items: list[CartLine] = []
        problems: list[LineProblem] = []
        for line in basket.lines:
            offer = offers.get(line.offer_id)
            if offer is None:
                continue
            items.append(_item(line, offer))
            problems += _problems(line, offer, stock.get(line.offer_id))
        subtotal = sum(item.line_total for item in items)
        count = sum(item.quantity for item in items)
        return CartView(basket.cart_id, items, subtotal, count, self._settings.currency, problems)

    async def count(self, user_id: UserId) -> int:
        """How many things are in it: the badge."""
        return sum(line.quantity for line in (await self.basket(user_id)).lines)

    async def merge(self, guest: UserId, member: UserId) -> None:
        """Everything in the guest's cart moves to the member's, quantities added; once."""
        await self.basket(guest)  # a guest's cart that Valkey lost comes back first
        other = (f"cart:{guest}", f"cart_id:{guest}")
        await self._run(scripts.MERGE, member, str(guest), QUANTITY_MAX, more_keys=other)

    async def spend(self, user_id: UserId, cart_id: CartId, lines: list[Line]) -> None:
        """An order took these out of this cart: its id is spent, the rest goes on under the next id."""
        bought = [part for line in lines for part in (str(line.offer_id), line.quantity)]
        following = int(ids.new(CartId, user_id.bucket))
        await self._run(scripts.SPEND, user_id, int(cart_id), following, *bought)

    async def copy_changed(self) -> int:
        """Copies changed carts to PostgreSQL; the back process does this all the time. Answers how many."""
        changed = await self._store.do("ZRANGE", _DIRTY, 0, _COPY_MAX - 1, "WITHSCORES")
        pairs = [(changed[n].decode(), changed[n + 1].decode()) for n in range(0, len(changed), 2)]
        if not pairs:
            return 0
        users = [parse(UserId, user) for user, _ in pairs]
        shown = await asyncio.gather(*(self._store.run(scripts.SHOW, _keys(str(user)), ()) for user in users))
        rows = [
            (int(user), int(cart[0]), self._lines_json(cart[1]), int(float(seq)))
            for user, (_, seq), cart in zip(users, pairs, shown, strict=True)
            if cart
        ]
        if rows:
            await self._db.execute(queries.keep, *sql.columns(rows))
        await self._store.run(scripts.COPIED, [_DIRTY], [part for pair in pairs for part in pair])
        return len(rows)

    async def keep_copying(self) -> None:
        """For ever: at most a second after a change, far inside the five that are promised."""
        while await self.copy_changed() == _COPY_MAX:
            pass
        await asyncio.sleep(1)

    async def _line_of(self, user_id: UserId, item: str) -> OfferId:
        if item.startswith(OfferId.prefix):
            return _named(OfferId, item)
        product_id = _named(ProductId, item)
        basket = await self.basket(user_id)
        offers = await self._catalog.offers([line.offer_id for line in basket.lines]) if basket.lines else {}
        for offer in offers.values():
            if offer.product_id == product_id:
                return offer.offer_id
        raise NotFound("The cart has no such line.")

    async def _run(self, script: str, user_id: UserId, *args: Any, more_keys: Sequence[str] = ()) -> Any:
        for _ in range(3):
            shown = str(user_id)
            answer = await self._store.run(script, [*_keys(shown), *more_keys], [shown, _TTL_S, *args])
            if answer is not None:
                return answer
            await self._rebuild(user_id)
        raise NotFound("This cart cannot be found.")

    async def _rebuild(self, user_id: UserId) -> None:
        """From the durable copy; a cart that never was begins empty."""
        kept = await self._kept(user_id)
        cart_id = kept["cart_id"] if kept else int(ids.new(CartId, user_id.bucket))
        lines = msgspec.json.decode(kept["lines"], type=dict[str, _Kept]) if kept else {}
        fields = [part for offer, line in lines.items() for part in (offer, codec.encode(line))]
        shown = str(user_id)
        await self._store.run(scripts.REBUILD, _keys(shown), [shown, _TTL_S, cart_id, *fields])

    def _read(self, field: bytes, value: bytes) -> tuple[OfferId, _Kept] | None:
        """A line of a cart; what cannot be read is not in it."""
        try:
            offer_id = parse(OfferId, field.decode())
            try:
                return offer_id, _decode(value)
            except msgspec.ValidationError:
                return offer_id, self._roughly(value)
        except (ValueError, ArithmeticError):
            log.warning("a line of a cart cannot be read", line=field[:50])
            return None

    def _roughly(self, value: bytes) -> _Kept:
        """A price with a fraction is in whole units: 19.99. ValueError for no whole number of things."""
        line = _decode_roughly(value)
        qty = int(line.qty)
        if qty != line.qty or not 1 <= qty <= QUANTITY_MAX:
            raise ValueError("not a quantity")
        whole = line.price == line.price.to_integral_value()
        return _Kept(
            qty, int(line.price) if whole else minor(line.price, self._settings.currency), line.added
        )

    def _lines_json(self, lines: Sequence[bytes]) -> str:
        read = (self._read(lines[n], lines[n + 1]) for n in range(0, len(lines), 2))
        return codec.text({str(line[0]): line[1] for line in read if line})

    async def _kept_many(self, user_ids: list[UserId]) -> list[Any]:
        rows = {row["user_id"]: row for row in await self._db.fetch(queries.kept, user_ids)}
        return [rows.get(user_id) for user_id in user_ids]


def _named(kind: type[Named], shown: str) -> Named:
    try:
        return parse(kind, shown)
    except ValueError:
        raise NotFound("The cart has no such line.") from None


def _keys(shown: str) -> list[str]:
    return [f"cart:{shown}", f"cart_id:{shown}", _DIRTY]


def _item(line: BasketLine, offer: Offer) -> CartLine:
    return CartLine(
        product_id=offer.product_id,
        offer_id=offer.offer_id,
        title=offer.title,
        quantity=line.quantity,
        price=offer.price,
        price_at_add=line.price_at_add,
        line_total=offer.price * line.quantity,
        image_url=offer.image_url,
        seller_name=offer.seller_name,
    )


def _problems(line: BasketLine, offer: Offer, stock: Stock | None) -> list[LineProblem]:
    left = stock.available if stock else 0
    found: list[LineProblem] = []
    if offer.status != "active":
        found.append(
            LineProblem("not_for_sale", offer.offer_id, f"{offer.title} is not for sale any more.", 0)
        )
    elif left == 0:
        found.append(LineProblem("sold_out", offer.offer_id, f"{offer.title} is sold out.", 0))
    elif left < line.quantity:
        found.append(LineProblem("not_enough", offer.offer_id, f"Only {left} of {offer.title} left.", left))
    if offer.price != line.price_at_add:
        said = f"The price of {offer.title} has changed since you added it."
        found.append(LineProblem("price_changed", offer.offer_id, said, price=offer.price))
    return found
