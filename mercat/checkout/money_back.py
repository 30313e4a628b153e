"""Units that are not sent after all, and money that goes back without goods: by the shopper, a seller or an
operator.

As in `aftercare`: the order's row decides, and what follows was begun durably before. Whoever asks again with
a key, or for all that is left, asks for the same, so recovery decides it; an ask of some units without a key
is withdrawn, for who sent it may have sent another since.
"""

import msgspec
from msgspec import Struct

from mercat import ids
from mercat.checkout.messages import CancelAsk, NoAccount, Party, RefundAsk, Staff
from mercat.checkout.neighbours import Neighbours
from mercat.checkout.refund_request import refund_request
from mercat.checkout.undoing import Begun, Undoing, number_of
from mercat.ids import CancellationId, OrderId, SellerId, UserId
from mercat.inventory import Line
from mercat.kit import codec
from mercat.kit.refusals import Forbidden, NotFound
from mercat.kit.rpc import Caller
from mercat.orders import ExceedsCaptured, LineQuantity, NotCancellable, Order, Owed, UnitMove
from mercat.payments import GiftCardSpent, Refund, UnitsBack

KINDS = ("cancel", "refund")
"""How references begin that this module carries on."""
_WHOLE = CancelAsk()
_ALL_LEFT: list[LineQuantity] = []


class Moving(Struct, frozen=True):
    """Units that are to be cancelled or refunded. `same`: who asks again asks under the same reference.
    `people`: what release 0.1.0 wrote of a cancellation, whose units were all."""

    order_id: OrderId
    move: UnitMove | None = None
    same: bool = True
    people: list[UserId] = []
    credit_to: UserId | None = None
    """Whose store credit it goes to, instead of back to where the payment came from."""


class MoneyBack:
    """Cancels and refunds, and carries on what broke off."""

    def __init__(self, neighbours: Neighbours, undoing: Undoing) -> None:
        self._undoing = undoing
        self._accounts = neighbours.accounts
        self._inventory = neighbours.inventory
        self._payments = neighbours.payments
        self._orders = neighbours.orders

    async def people(self, caller: Caller) -> list[UserId]:
        """List the caller, and the guests they were before they signed in."""
        if caller.guest:
            return [caller.user_id]
        return [caller.user_id, *await self._accounts.guests_of(caller.user_id)]

    async def cancel(
        self, caller: Caller, order_id: OrderId, ask: CancelAsk = _WHOLE, by: Party = "shopper"
    ) -> Order:
        """Cancel units that have not shipped, all where none are named: money back, goods back. All again:
        the same answer, and no other refund. A seller cancels of their own lines alone."""
        people = await self.people(caller) if by == "shopper" else None
        seller_id = _seller_id(caller, by)
        if people is not None:
            await self._orders.order(order_id, people)
        whole = ask.lines is None
        if whole:
            number = int(order_id) if seller_id is None else number_of(order_id, "all of", seller_id)
        elif ask.once:
            number = number_of(order_id, "cancel", by, caller.user_id, ask.once)
        else:
            number = int(ids.new(CancellationId, order_id.bucket))
        move = UnitMove(
            kind="cancel",
            reference=f"cancel/{number}",
            who=by,
            lines=ask.lines,
            user_ids=people,
            seller_id=seller_id,
            reason=ask.reason,
        )
        await self._begin(Moving(order_id, move, whole or bool(ask.once)))
        return await self._orders.order(order_id, people)

    async def preview_cancel(self, order_id: OrderId, lines: list[LineQuantity] = _ALL_LEFT) -> Owed:
        """Say what cancelling these units would pay back, all that is left where none are named; change
        nothing. NotCancellable, with which, for what is on its way. Whose order it is, the asker has seen."""
        move = UnitMove(kind="cancel", reference="", who="shopper", lines=lines or None)
        return await self._orders.preview(order_id, [move])

    async def refund(self, caller: Caller, order_id: OrderId, ask: RefundAsk, by: Staff) -> Refund:
        """Pay money back without goods, once a key: for units, or an amount. A seller gives what their part
        got, an operator whatever is left; ExceedsCaptured beyond. A gift card among the goods is paid back by
        its unit, which takes it, and not at all where something was spent of it (GiftCardSpent)."""
        move = UnitMove(
            kind="refund",
            reference=f"refund/{number_of(order_id, 'refund', by, caller.user_id, ask.once)}",
            who=by,
            lines=ask.lines,
            amount=ask.amount,
            spared={} if ask.amount is None else await self._on_gift_cards(order_id),
            seller_id=_seller_id(caller, by),
            reason=ask.reason,
        )
        credit_to = await self._shopper(order_id) if ask.to_store_credit else None
        refund = await self._begin(Moving(order_id, move, credit_to=credit_to))
        if refund is None:
            raise ExceedsCaptured
        return refund

    async def _on_gift_cards(self, order_id: OrderId) -> dict[SellerId, int]:
        """Say what the gift cards of an order cost that were not paid back, by who sold them."""
        cards = [card for card in await self._payments.sold_of(order_id) if not card.is_void]
        if not cards:
            return {}
        order = await self._orders.order(order_id, None)
        sellers = {line.order_line_id: line.seller_id for line in order.lines}
        spared: dict[SellerId, int] = {}
        for card in cards:
            seller_id = sellers[card.order_line_id]
            spared[seller_id] = spared.get(seller_id, 0) + card.initial
        return spared

    async def _shopper(self, order_id: OrderId) -> UserId:
        user_id = (await self._orders.order(order_id, None)).user_id
        try:
            await self._accounts.found_person(user_id)
        except NotFound:
            raise NoAccount from None
        return user_id

    async def take_up(self, begun: Begun, record: str) -> None:
        """Carry on what broke off. What the order's row refuses is closed."""
        moving = codec.decode(record, Moving)
        move = moving.move or UnitMove(
            kind="cancel", reference=begun.reference, who="shopper", user_ids=moving.people
        )
        if not moving.same and await self._orders.withdraw(moving.order_id, begun.reference):
            await self._undoing.done(begun)
        else:
            await self._carry_out(begun, msgspec.structs.replace(moving, move=move))

    async def _begin(self, moving: Moving) -> Refund | None:
        assert moving.move
        begun = await self._undoing.begin(moving.move.reference, moving.order_id, moving)
        return await self._carry_out(begun, moving)

    async def _carry_out(self, begun: Begun, moving: Moving) -> Refund | None:
        """Decide, then pay back and put back; answer the refund, None where nothing is owed."""
        move, order_id, refund = moving.move, moving.order_id, None
        assert move
        stops = move.lines if move.kind == "refund" and move.lines else []
        try:
            if stops:
                units = [UnitsBack(line.order_line_id, line.quantity) for line in stops]
                await self._payments.stop_sold(order_id, move.reference, units)
            owed = await self._orders.move_units(order_id, move)
        except (NotCancellable, ExceedsCaptured, NotFound, GiftCardSpent):
            if stops and begun.alone:
                await self._payments.let_sold_be(move.reference)
            await self._undoing.refused(begun)
            raise
        if owed.parts:
            request = refund_request(move.reference, owed, moving.credit_to)
            refund = await self._payments.refund(order_id, request)
        if move.kind == "cancel" and owed.goods:
            lines = [Line(part.offer_id, part.quantity) for part in owed.goods]
            await self._inventory.put_back(move.reference, lines)
        await self._undoing.done(begun)
        return refund


def _seller_id(caller: Caller, by: Party) -> SellerId | None:
    """Answer whose lines may move: a seller's own, or None for all; Forbidden for who is no seller."""
    if by != "seller":
        return None
    if caller.seller_id is None:
        raise Forbidden
    return caller.seller_id
