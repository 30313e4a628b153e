"""Bugs that the simulator can switch on, to prove that it finds them. Nothing of the product knows them.

A mutation spoils statements by their name, methods of one shop, and, where a constraint of the
database would stop the bug by itself, drops that in the simulator's own database.
"""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

from msgspec import structs

from mercat.checkout import CheckoutAnswer, RefundAsk, Staff
from mercat.ids import CheckoutId, OrderId
from mercat.kit.rpc import Caller
from mercat.orders import Owed, UnitMove
from mercat.payments import Refund, RefundRequest
from mercat.pricing import PricedLine
from mercat.returns import GoodsReturn, NewReturn
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


def _forget_returns(shop: Shop) -> None:
    async def take_up(begun: Any, record: str) -> None:
        return None

    _replace(shop.checkout.goods_back, "take_up", take_up)


def _pay_each_time(shop: Shop) -> None:
    """Ask for the refund of a return under another name each time."""
    real, times = shop.payments.refund, count()

    async def refund(order_id: OrderId, request: RefundRequest) -> Refund:
        if request.reference.startswith("return/"):
            request = structs.replace(request, reference=f"{request.reference}/{next(times)}")
        return await real(order_id, request)

    _replace(shop.payments, "refund", refund)


def _keep_units(shop: Shop) -> None:
    """Leave the units of a return that is refused or withdrawn where they are."""
    real = shop.orders.move_units

    async def move_units(order_id: OrderId, move: UnitMove) -> Owed:
        return Owed() if move.kind == "drop_return" else await real(order_id, move)

    _replace(shop.orders, "move_units", move_units)


def _pay_when_asked(shop: Shop) -> None:
    """Pay back what is to come back as soon as somebody asks, as release 0.1.0 did."""
    goods_back: Any = shop.checkout.goods_back
    real = goods_back._ask

    async def ask(begun: Any, new: NewReturn) -> GoodsReturn:
        back = await real(begun, new)
        amount = sum(line.unit_price * line.quantity for line in new.lines)
        await shop.payments.refund(new.order_id, RefundRequest(f"return/{int(new.return_id)}", amount))
        return back

    _replace(goods_back, "_ask", ask)


def _discount_again(shop: Shop) -> None:
    """Pay back what units cost without what was taken off them."""
    real = shop.payments.refund

    async def refund(order_id: OrderId, request: RefundRequest) -> Refund:
        if request.discount:
            request = structs.replace(request, amount=request.amount + request.discount, discount=0)
        return await real(order_id, request)

    _replace(shop.payments, "refund", refund)


def _forget_keys(shop: Shop) -> None:
    checkout: Any = shop.checkout
    real = checkout.refund
    times = count()

    async def refund(caller: Caller, order_id: OrderId, ask: RefundAsk, by: Staff) -> Refund:
        return await real(
            caller, order_id, structs.replace(ask, once=f"{ask.once}/{id(times)}/{next(times)}"), by
        )

    _replace(checkout, "refund", refund)


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
    "forgotten-return": Mutation("what broke off while goods came back stays so", spoil=_forget_returns),
    "paid-each-time": Mutation(
        "a return is paid back as often as its receipt is carried out", spoil=_pay_each_time
    ),
    "kept-units": Mutation(
        "units of a return that is refused or withdrawn never become free", spoil=_keep_units
    ),
    "paid-when-asked": Mutation(
        "a return is paid back when it is asked for, before anything came", spoil=_pay_when_asked
    ),
    "ships-cancelled": Mutation(
        "a decision does not see what was cancelled of a line",
        rewrites={"orders.lines": (("unit_price, cancelled,", "unit_price, 0 as cancelled,"),)},
    ),
    "forgotten-key": Mutation("a refund asked for again with its key is another one", spoil=_forget_keys),
    "uncapped-refund": Mutation(
        "what was refunded without goods is forgotten when more is paid back",
        rewrites={
            "orders.decisions": (("('cancelled', 'returned', 'refunded')", "('cancelled', 'returned')"),)
        },
    ),
    "uncounted-refund": Mutation(
        "units that are refunded without goods are not counted",
        rewrites={"orders.set_lines": (("refunded = n.refunded", "refunded = l.refunded"),)},
    ),
    "status-left-behind": Mutation(
        "an order keeps its status when its units move",
        rewrites={"orders.set_status": (("where bucket", "where false and bucket"),)},
    ),
    "list-left-behind": Mutation(
        "a packing list does not hear of cancelled units",
        rewrites={"fulfilment.cancel_units": (("o.cancelled || told.units", "o.cancelled"),)},
    ),
    "numbers-with-gaps": Mutation(
        "an invoice that is there already takes another number when it is asked for again",
        rewrites={"invoices.issue": (("from fresh group by 1", "from asked group by 1"),)},
    ),
    "lost-credit-note": Mutation(
        "a refund has no credit note",
        rewrites={
            "invoices.issue": (("where p.order_id is null", "where p.order_id is null and refund_id = 0"),)
        },
    ),
    "kept-use": Mutation(
        "what a refused purchase used of a promotion is never given back",
        rewrites={"promotions.give_back": (("and r.state = 'used'\n", "and false\n"),)},
    ),
    "discount-twice": Mutation("what was taken off goods is paid back with them", spoil=_discount_again),
    "spent-by-refused": Mutation(
        "a gift card is spent by an order that was refused",
        rewrites={
            "payments.give_back_values": (
                ("set state = 'given_back' where", "set state = 'taken' where"),
                ("from marked where before = 'held' group", "from marked where false group"),
                ("from marked where before = 'held'", "from marked where false"),
            )
        },
    ),
    "answer-before-commit": Mutation("a final answer is given before it is stored", spoil=_answer_first),
}
