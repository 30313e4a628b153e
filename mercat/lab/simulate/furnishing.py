"""What a seed's shop sells, and who wants it: shoppers with carts and cards, and too little stock."""

import random
import uuid
from datetime import datetime
from typing import NamedTuple

from mercat.accounts import NewAddress
from mercat.cart import TypedGiftCard
from mercat.catalog import NewProduct
from mercat.checkout import Buy
from mercat.flashsale import NewSale, gate_key
from mercat.ids import OfferId, SellerId
from mercat.inventory import Line
from mercat.kit.rpc import Caller
from mercat.lab.simulate.stage import Stage
from mercat.payments import NewGiftCard
from mercat.promotions import NewPromotion

_SHOPPERS = 8
_CARDS = (
    *("tok_visa", "tok_visa", "tok_visa", "tok_3ds", "tok_3ds"),
    *("tok_declined", "tok_timeout_charged", "tok_timeout_uncharged"),
)
_FLASH = 0.5
"""Of the shoppers so many want what is on sale."""
_GIFTED = 0.25
"""So many have a gift card, each their own: who races for one is in the tests of races."""
_COUPONS = 0.6
"""So many have the code of a promotion that few may use."""
_HOME = NewAddress(
    name="Ann", line1="1 Long Street", city="Springfield", region="OR", postal_code="97477", country="US"
)


class Furniture(NamedTuple):
    """What there is: by key who buys what, the offers, and the flash sale."""

    asks: dict[str, tuple[Caller, Buy]]
    offers: list[tuple[SellerId, OfferId]]
    sale: str


async def furnish(stage: Stage, seed: int, dice: random.Random, now: datetime) -> Furniture:
    """Open the shop of a seed."""
    shop = stage.one.shop
    offers: list[tuple[SellerId, OfferId]] = []
    asks: dict[str, tuple[Caller, Buy]] = {}
    sellers = [await shop.sellers.by_name(f"Seller {seed} {n}") for n in range(2)]
    for n, seller_id in enumerate(sellers):
        offer_id = await _list(stage, seller_id, f"Thing {n}", 1_999)
        stock = dice.choice((dice.randint(1, 5), dice.randint(5, 12)))
        await shop.inventory.receive(f"simulation/{offer_id}", [Line(offer_id, stock)], seller_id)
        offers.append((seller_id, offer_id))
    gifts = random.Random(f"{seed}/gift cards")
    coupons = random.Random(f"{seed}/promotions")
    few = f"FEW{seed}-{uuid.uuid4().hex[:8]}"  # a seed may be run again in the same database
    coupon = NewPromotion(name="A few", then={"percent": 20}, code=few, limit=coupons.randint(1, 3))
    if stage.promotion:  # of the seed before: so many may stand at once
        await shop.promotions.remove(stage.promotion)
    stage.promotion = (await shop.promotions.add(coupon)).promotion.promotion_id
    flash, sale = await _open_a_sale(stage, sellers[0], dice, now)
    for n in range(_SHOPPERS):
        user_id = (await shop.accounts.guest()).user_id
        # Most want the first.
        wanted = [offer_id for _, offer_id in offers[: dice.choice((1, 1, 2))]]
        if dice.random() < _FLASH:
            wanted = [flash, *wanted[: dice.choice((0, 0, 1))]]
        for offer_id in wanted:
            await shop.cart.add(user_id, offer_id, dice.randint(1, 2))
        address_id = await shop.accounts.add_address(user_id, _HOME)
        method_id = await shop.accounts.add_payment_method(user_id, dice.choice(_CARDS))
        if gifts.random() < _GIFTED:
            card = NewGiftCard(gifts.choice((900, 2_500, 20_000)), stage.settings.currency)
            code = (await shop.payments.make_gift_card(card)).code
            await shop.cart.add_gift_card(user_id, TypedGiftCard(code))
        if coupons.random() < _COUPONS:
            await shop.cart.add_code(user_id, few)
        ask = Buy(address_id, method_id, "standard", email="ann@example.com")
        asks[f"{seed}/{n}"] = (Caller(user_id), ask)
    return Furniture(asks, offers, sale)


async def _list(stage: Stage, seller_id: SellerId, title: str, price: int) -> OfferId:
    draft = NewProduct(title=title, price=price, currency=stage.settings.currency)
    return (await stage.one.shop.catalog.create(seller_id, "Seller", draft)).offer_id


async def _open_a_sale(
    stage: Stage, seller_id: SellerId, dice: random.Random, now: datetime
) -> tuple[OfferId, str]:
    """Sell fewer units than are wanted, and than there are; no waiting room, whoever is first."""
    shop = stage.one.shop
    offer_id = await _list(stage, seller_id, "Thing on sale", 999)
    await shop.inventory.receive(f"simulation/{offer_id}", [Line(offer_id, 20)], seller_id)
    sale = f"s{int(offer_id)}"
    await shop.flashsale.create(
        NewSale(
            sale_id=sale,
            offer_id=offer_id,
            units=dice.randint(1, 3),
            starts_at=now,
            queue=False,
            per_person=2,
            per_card=None,
            per_address=None,
        )
    )
    await shop.flashsale.runner.tick()
    await shop.host.store.do("DEL", gate_key(sale))  # so that PostgreSQL alone decides
    for process in stage.processes:
        await process.look_at_sales()
    return offer_id, sale
