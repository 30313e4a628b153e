"""Bugs that the simulator can switch on, to prove that it finds them. Nothing of the product knows them.

A mutation spoils statements by their name, methods of one shop, and, where a constraint of the
database would stop the bug by itself, drops that in the simulator's own database.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec import structs

from mercat.checkout import CheckoutAnswer
from mercat.ids import CheckoutId
from mercat.pricing import PricedLine
from mercat.shop import Shop

Rewrites = dict[str, tuple[tuple[str, str], ...]]


class Mutation:
    """A bug: what it is in words, and how it is switched on."""

    def __init__(
        self,
        says: str,
        *,
        rewrites: Rewrites | None = None,
        spoil: Callable[[Shop], None] | None = None,
        drops: tuple[str, ...] = (),
    ) -> None:
        """Describe a bug. `drops`: constraints, as `table constraint`."""
        self.says = says
        self.rewrites = rewrites or {}
        self.spoil = spoil
        self.drops = drops


def _replace(part: object, verb: str, work: Callable[..., Any]) -> None:
    if not hasattr(part, verb):
        raise RuntimeError(f"{verb} has gone: the mutation no longer fits.")
    setattr(part, verb, work)


def _release_nothing(shop: Shop) -> None:
    async def release_many(checkout_ids: list[CheckoutId]) -> list[None]:
        return [None] * len(checkout_ids)

    _replace(shop.inventory, "release_many", release_many)


def _price_again(shop: Shop) -> None:
    """Look the prices up again where a purchase is taken over, instead of reading what begin committed."""
    saga = shop.checkout.saga
    real = saga.carry_out

    async def carry_out(purchase: Any) -> CheckoutAnswer:
        if purchase.fence > 1:
            purchase.record = await _at_todays_prices(shop, purchase.record)
        return await real(purchase)

    _replace(saga, "carry_out", carry_out)


async def _at_todays_prices(shop: Shop, record: Any) -> Any:
    order = record.order
    offers = await shop.catalog.offers([line.offer_id for line in order.lines])
    lines = [
        structs.replace(
            line, unit_price=offers[line.offer_id].price, total=offers[line.offer_id].price * line.quantity
        )
        for line in order.lines
    ]
    priced = [PricedLine(line.offer_id, line.quantity, line.unit_price) for line in lines]
    subtotal = sum(line.unit_price * line.quantity for line in priced)
    total = order.total - order.subtotal + subtotal
    return structs.replace(record, order=structs.replace(order, lines=lines, subtotal=subtotal, total=total))


def _answer_first(shop: Shop) -> None:
    """Tell the shopper the end while its commit is still on its way."""
    saga: Any = shop.checkout.saga
    real = saga._finish_many
    under_way: set[asyncio.Task[Any]] = set()

    async def finish_many(endings: list[Any]) -> list[bool]:
        task: asyncio.Task[Any] = asyncio.ensure_future(real(endings))
        under_way.add(task)
        task.add_done_callback(lambda done: (under_way.discard(done), done.cancelled() or done.exception()))
        return [True] * len(endings)

    _replace(saga, "_finish_many", finish_many)


def _forget(shop: Shop) -> None:
    async def recover() -> int:
        return 0

    _replace(shop.checkout.aftercare, "recover", recover)


_ANYHOW = "from (select 1 where (select count(*) from act) >= 0) a, unnest($3::bigint[], $4::int[])"
_FENCE = "r.checkout_id = a.checkout_id and r.fence = a.fence"
_ANY_FENCE = "r.checkout_id = a.checkout_id"

MUTATIONS: dict[str, Mutation] = {
    "lost-compensation": Mutation("what a refused purchase held is never released", spoil=_release_nothing),
    "no-tombstone": Mutation(
        "a release leaves no mark, so a reserve that comes later still holds",
        rewrites={
            "inventory.release": (
                ("from unnest($1::bigint[]) c order by c", "from unnest($1::bigint[]) c where false"),
            )
        },
    ),
    "step-twice": Mutation(
        "a second confirm takes the goods from the shelf once more",
        rewrites={
            "inventory.confirm": (
                ("r.state = 'held' and (select", "r.state in ('held', 'sold') and (select"),
                ("from sold\n)\nselect", "from sold on conflict do nothing\n)\nselect"),
            )
        },
        drops=(
            "inventory.stock never_oversold",
            "inventory.stock stock_reserved_check",
            "inventory.stock stock_on_hand_check",
        ),
    ),
    "live-price": Mutation("whoever takes a purchase over reads today's prices", spoil=_price_again),
    "no-version-test": Mutation(
        "a reservation does not see that the shelf changed since it looked",
        rewrites={
            "inventory.reserve": (
                (
                    "s.version = w.version and s.on_hand - s.reserved - s.safety >= w.units as held",
                    "true as held",
                ),
            )
        },
        drops=("inventory.stock never_oversold", "inventory.stock stock_on_hand_check"),
    ),
    "unfenced-lease": Mutation(
        "who has lost the lease writes all the same",
        rewrites={
            "checkout.decide_many": ((_FENCE, _ANY_FENCE),),
            "checkout.finish_many": ((_FENCE, _ANY_FENCE),),
        },
    ),
    "one-sided-entry": Mutation(
        "a capture is booked on one account only",
        rewrites={
            "payments.record_charges": (
                (
                    "a.accounts::text[], a.amounts::bigint[]",
                    "(a.accounts::text[])[1:1], (a.amounts::bigint[])[1:1]",
                ),
            )
        },
        drops=("payments.entry entry_balances", "payments.entry entry_has_two_sides"),
    ),
    "told-twice": Mutation(
        "the relay does not write down from which commit it appended last",
        rewrites={
            "kit.append": (
                (
                    "set commit = $4::text::pg_lsn, facts = $5,",
                    "set commit = least(commit, $4::text::pg_lsn), facts = least(facts, $5),",
                ),
            )
        },
    ),
    "put-back-twice": Mutation(
        "goods that come back are put on the shelf as often as it is asked",
        rewrites={"inventory.receive": (("from act, unnest(act.offer_ids, act.quantities)", _ANYHOW),)},
    ),
    "kept-turn": Mutation(
        "what a refused purchase had of a flash sale is never given back",
        rewrites={
            "flashsale.settle": (("and t.state = 'claimed'\n", "and t.state = 'claimed' and a.bought\n"),)
        },
    ),
    "sale-without-end": Mutation(
        "the till of a flash sale does not count what is left",
        rewrites={"flashsale.rush": (("from allowed where so_far <= left_over", "from allowed"),)},
        drops=("flashsale.sale sale_never_oversold",),
    ),
    "forgotten-cancel": Mutation("what broke off while an order was given up stays so", spoil=_forget),
    "answer-before-commit": Mutation("a final answer is given before it is stored", spoil=_answer_first),
}
