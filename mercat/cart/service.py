"""The verbs of the cart."""

import asyncio
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Any, TypeVar

import asyncpg

from mercat import ids
from mercat.cart import scripts
from mercat.cart.copies import CartCopies
from mercat.cart.guarding import GiftCodeGuard
from mercat.cart.messages import (
    CODES_MAX,
    GIFT_CARDS_MAX,
    LINES_MAX,
    AmbiguousLine,
    AppliedGiftCard,
    Basket,
    BasketLine,
    CartFull,
    CartView,
    GiftCardsFull,
    Spent,
    TooManyCodes,
    TypedGiftCard,
)
from mercat.cart.rules import applied, lines_today, problems_of
from mercat.cart.scripts import keys_of, once_key
from mercat.cart.stored import codes_of, split_fields
from mercat.catalog import Catalog, Offer, PricesByCountry, check_currency
from mercat.ids import CartId, GiftCardId, OfferId, ProductId, UserId, parse
from mercat.inventory import Inventory, Line, Stock
from mercat.kit import clock, codec
from mercat.kit.refusals import NotFound, Overloaded
from mercat.kit.text import normal_code
from mercat.kit.valkey import Call, Store
from mercat.payments import Payments, SpendableOf
from mercat.quantity import QUANTITY_MAX
from mercat.settings import Settings

Named = TypeVar("Named", OfferId, ProductId)
_TTL_S = 30 * 24 * 3_600
_TRIES = 10
_ASKED_FOR_S = 600
"""Longer than anybody who began something works on it."""


class Cart:
    """Carts in Valkey. Each change is one script, so it happens whole or not at all."""

    def __init__(
        self,
        db: asyncpg.Pool,
        store: Store,
        catalog: Catalog,
        inventory: Inventory,
        payments: Payments,
        settings: Settings,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._inventory = inventory
        self._payments = payments
        self._guard = GiftCodeGuard(store, settings)
        self._currency = settings.currency
        self._prices = PricesByCountry(catalog, settings)
        self.copies = CartCopies(db, store, settings.currency)

    async def add(self, user_id: UserId, offer_id: OfferId, quantity: int, country: str = "") -> CartView:
        """Add to what is there, and remember the price of now in a country. A line holds at most
        `QUANTITY_MAX`."""
        offer = (await self._offers([offer_id], country)).get(offer_id)
        if offer is None or offer.status == "draft":
            raise NotFound("There is no such offer.", pointer="/offer_id")
        check_currency(offer.title, offer.currency, self._currency, "/offer_id")
        if not await self._put(user_id, offer, quantity):
            raise CartFull
        return await self.show(user_id, country)

    async def add_missing(self, user_id: UserId, lines: list[Line], country: str = "") -> int:
        """Add what is for sale and not in the cart yet, and say how many lines that were not for sale or had
        no room. Again it changes nothing."""
        there = {line.offer_id for line in (await self.basket(user_id)).lines}
        offers = await self._offers([line.offer_id for line in lines], country)
        missing = [line for line in lines if line.offer_id not in there]
        added = 0
        for line in missing:
            offer = offers.get(line.offer_id)
            if offer and offer.status == "active":
                added += await self._put(user_id, offer, line.quantity)
        return len(missing) - added

    async def change(self, user_id: UserId, item: str, quantity: int, country: str = "") -> CartView:
        """Set a line's quantity; 0 removes it. The line is named by its offer or its product."""
        offer_id = await self._line_of(user_id, item)
        if not await self._run(scripts.CHANGE, user_id, str(offer_id), quantity):
            raise NotFound("The cart has no such line.")
        return await self.show(user_id, country)

    async def remove(self, user_id: UserId, item: str, country: str = "") -> CartView:
        """Take a line out, named by its offer or its product."""
        return await self.change(user_id, item, 0, country)

    async def add_gift_card(self, user_id: UserId, typed: TypedGiftCard, country: str = "") -> CartView:
        """Let a gift card pay, named by its code; TooManyRequests for who guesses. Again changes nothing."""
        async with self._guard.guess(user_id, typed.network):
            card = await self._payments.find_gift_card(typed.code)
        there = (await self.basket(user_id)).gift_cards
        if card.value_id not in there:
            if len(there) >= GIFT_CARDS_MAX:
                raise GiftCardsFull
            args = (str(card.value_id), 1, 0, clock.now().isoformat(), 1, LINES_MAX + GIFT_CARDS_MAX)
            await self._run(scripts.ADD, user_id, *args)
        return await self.show(user_id, country)

    async def remove_gift_card(self, user_id: UserId, card: str, country: str = "") -> CartView:
        """Take a gift card out, named by its id or its last four letters."""
        there = (await self.basket(user_id)).gift_cards
        known = {str(each): each for each in there}
        if card not in known:
            known = {each.last4: each.gift_card_id for each in await self._applied(there, 0)}
        if card not in known or not await self._run(scripts.CHANGE, user_id, str(known[card]), 0):
            raise NotFound("The cart has no such gift card.")
        return await self.show(user_id, country)

    async def _applied(self, gift_cards: list[GiftCardId], due: int) -> list[AppliedGiftCard]:
        if not gift_cards:
            return []
        return applied(gift_cards, await self._payments.spendable(SpendableOf(gift_cards)), due)

    async def basket(self, user_id: UserId) -> Basket:
        """Answer the lines as they were put in: what checkout begins with."""
        [basket] = await self.baskets([user_id])
        return basket

    async def baskets(self, user_ids: list[UserId]) -> list[Basket]:
        """Answer the baskets of many."""
        shown = await self._run_many(scripts.SHOW, [(user_id, ()) for user_id in user_ids])
        return [self._basket(*each) for each in shown]

    def _basket(self, cart_id: bytes, parts: list[bytes]) -> Basket:
        lines, gift_cards = split_fields(parts, self._currency)
        codes = codes_of(parts)
        return Basket(
            CartId(cart_id),
            [BasketLine(offer, line.qty, line.price) for offer, line in lines.items()],
            list(gift_cards),
            codec.decode(codes, list[str]) if codes else [],
        )

    async def show(self, user_id: UserId, country: str = "") -> CartView:
        """Answer the cart with today's prices in a country, and what stands between it and buying."""
        basket = await self.basket(user_id)
        offer_ids = [line.offer_id for line in basket.lines]
        offers: dict[OfferId, Offer] = {}
        stock: dict[OfferId, Stock] = {}
        if offer_ids:
            offers, stock = await asyncio.gather(
                self._offers(offer_ids, country), self._inventory.stock(offer_ids)
            )
        items = lines_today(basket.lines, offers)
        subtotal = sum(item.line_total for item in items)
        return CartView(
            cart_id=basket.cart_id,
            items=items,
            subtotal=subtotal,
            item_count=sum(item.quantity for item in items),
            currency=self._currency,
            problems=problems_of(basket.lines, offers, stock),
            gift_cards=await self._applied(basket.gift_cards, subtotal),
        )

    async def _offers(self, offer_ids: list[OfferId], country: str) -> dict[OfferId, Offer]:
        return await self._prices.offers(country, await self._catalog.offers(offer_ids))

    async def count(self, user_id: UserId) -> int:
        """Count how many things are in it: the badge."""
        return sum(line.quantity for line in (await self.basket(user_id)).lines)

    async def merge(self, guest: UserId, member: UserId) -> None:
        """Move everything in the guest's cart to the member's, once; quantities are added.

        The two may be on two servers. Whoever dies on the way has taken nothing out that is not in: asked
        again, it goes on with what was offered first, and then offers what the guest put in since."""
        for _ in range(_TRIES):
            name, offered, missing = await self._run(scripts.OFFER, guest, token_hex(8))
            if not (token := name.decode()):
                return
            if not missing:
                most = QUANTITY_MAX, CODES_MAX
                taken = await self._run_once(scripts.TAKE_IN, member, token, *most, *offered)
                missing = await self._run(scripts.GIVE_AWAY, guest, token, str(member), *taken)
            if missing:
                await self._run_once(scripts.TAKE_OUT, member, f"missing:{token}", *missing)
                await self._run(scripts.END_OFFER, guest, token)
                await self._forget_soon(member, f"missing:{token}")
            await self._forget_soon(member, token)

    async def add_code(self, user_id: UserId, code: str) -> None:
        """Keep a code with the cart, whatever it is good for; one that is there already is there once."""

        def with_it(codes: list[str]) -> list[str]:
            if normal_code(code) in map(normal_code, codes):
                return codes
            if len(codes) >= CODES_MAX:
                raise TooManyCodes
            return [*codes, code]

        await self._set_codes(user_id, with_it)

    async def drop_code(self, user_id: UserId, code: str) -> None:
        """Take a code out of the cart; NotFound where it is not there."""
        other = normal_code(code)

        def without(codes: list[str]) -> list[str]:
            left = [each for each in codes if normal_code(each) != other]
            if len(left) == len(codes):
                raise NotFound("The cart has no such code.")
            return left

        await self._set_codes(user_id, without)

    async def _set_codes(self, user_id: UserId, change: Callable[[list[str]], list[str]]) -> None:
        for _ in range(_TRIES):
            _, parts = await self._run(scripts.SHOW, user_id)
            before = codes_of(parts)
            after = change(codec.decode(before, list[str]) if before else [])
            text = codec.text(after) if after else ""
            if text == before or await self._run(scripts.SET_CODES, user_id, before, text):
                return
        raise Overloaded

    async def spend_many(self, spent: list[Spent]) -> list[None]:
        """Take out of each cart what an order bought of it: its id is spent, the rest goes on under the next
        id. What was merged into a member's cart meanwhile is taken out there."""
        asks = [(each.user_id, [*_ids(each), "", *_bought(each)]) for each in spent]
        answers = await self._run_many(scripts.SPEND, asks)
        moved = [
            self._spend_moved(each, *told)
            for each, told in zip(spent, answers, strict=True)
            if told not in (0, 1)
        ]
        await asyncio.gather(*moved)
        return [None] * len(spent)

    async def _spend_moved(self, spent: Spent, into: bytes, *missing: Any) -> None:
        """Spend a guest's cart whose lines went into a member's meanwhile: first there, once a spent cart,
        and then here."""
        member = parse(UserId, into.decode())
        name = f"spent:{int(spent.cart_id)}"
        if missing:
            await self._run_once(scripts.TAKE_OUT, member, name, *missing)
        there = {missing[n].decode(): missing[n + 1] for n in range(0, len(missing), 2)}
        bought = _bought(spent)
        here = [
            part
            for n in range(0, len(bought), 2)
            for part in (bought[n], bought[n + 1] - there.get(bought[n], 0))
        ]
        await self._run(scripts.SPEND, spent.user_id, *_ids(spent), "settled", *here)
        await self._forget_soon(member, name)

    async def _put(self, user_id: UserId, offer: Offer, quantity: int) -> bool:
        """Add to a line at the price of now; say whether the cart had room."""
        added = clock.now().isoformat(timespec="seconds")
        args = (str(offer.offer_id), quantity, offer.price, added, QUANTITY_MAX, LINES_MAX)
        return bool(await self._run(scripts.ADD, user_id, *args))

    async def _line_of(self, user_id: UserId, item: str) -> OfferId:
        if item.startswith(OfferId.prefix):
            return _named(OfferId, item)
        product_id = _named(ProductId, item)
        basket = await self.basket(user_id)
        offers = await self._catalog.offers([line.offer_id for line in basket.lines]) if basket.lines else {}
        found = [offer.offer_id for offer in offers.values() if offer.product_id == product_id]
        if not found:
            raise NotFound("The cart has no such line.")
        if len(found) > 1:
            raise AmbiguousLine(offer_ids=[str(offer_id) for offer_id in found])
        return found[0]

    async def _run(self, script: str, user_id: UserId, *args: Any) -> Any:
        [answer] = await self._run_many(script, [(user_id, args)])
        return answer

    async def _run_once(self, script: str, user_id: UserId, name: str, *args: Any) -> Any:
        """Run a script that changes a cart once by this name, which is remembered as long as the cart."""
        keys = [*keys_of(self._store, user_id), once_key(self._store, user_id, name)]
        [answer] = await self._run_calls(script, [user_id], [(keys, [str(user_id), _TTL_S, *args])])
        return answer

    async def _forget_soon(self, user_id: UserId, name: str) -> None:
        """Forget a name by which nobody begins anything any more; who began may still be on the way."""
        await self._store.do("EXPIRE", once_key(self._store, user_id, name), _ASKED_FOR_S)

    async def _run_many(self, script: str, asks: Sequence[tuple[UserId, Sequence[Any]]]) -> list[Any]:
        """Run a script for many carts."""
        calls: list[Call] = [
            (keys_of(self._store, shown := str(user_id)), [shown, _TTL_S, *args]) for user_id, args in asks
        ]
        return await self._run_calls(script, [user_id for user_id, _ in asks], calls)

    async def _run_calls(self, script: str, user_ids: Sequence[UserId], calls: list[Call]) -> list[Any]:
        """Run a script for carts; those that Valkey does not know are rebuilt first."""
        answers = await self._store.run_many(script, calls)
        unknown = [n for n, answer in enumerate(answers) if answer is None]
        rebuilt = await asyncio.gather(*(self._run_rebuilt(script, user_ids[n], *calls[n]) for n in unknown))
        for n, answer in zip(unknown, rebuilt, strict=True):
            answers[n] = answer
        return answers

    async def _run_rebuilt(
        self, script: str, user_id: UserId, keys: Sequence[Any], args: Sequence[Any]
    ) -> Any:
        for _ in range(2):
            await self.copies.rebuild(user_id, _TTL_S)
            if (answer := await self._store.run(script, keys, args)) is not None:
                return answer
        raise NotFound("This cart cannot be found.")


def _ids(spent: Spent) -> list[int]:
    """Answer the id that is spent, and the next one."""
    return [int(spent.cart_id), int(ids.new(CartId, spent.user_id.bucket))]


def _bought(spent: Spent) -> list[Any]:
    bought = [part for line in spent.lines for part in (str(line.offer_id), line.quantity)]
    return bought + [part for card in spent.gift_cards for part in (str(card), 1)]


def _named(kind: type[Named], shown: str) -> Named:
    try:
        return parse(kind, shown)
    except ValueError:
        raise NotFound("The cart has no such line.") from None
