"""Goods that come back: asked for, withdrawn, refused, received.

The order's row decides whether units may come back and what they are worth; the return's row, what became
of them. What follows from a decision (units set free, money, stock) is begun durably (`checkout.undoing`) and
run again until it is done, every step idempotent by the return. Money and stock move once goods are here.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from mercat import ids
from mercat.checkout.messages import AskReturn, Returnable
from mercat.checkout.neighbours import Neighbours
from mercat.checkout.refund_request import refund_request
from mercat.checkout.undoing import Begun, Undoing, number_of
from mercat.ids import LineId, OrderId, ReturnId, SellerId, UserId
from mercat.inventory import Line
from mercat.kit import clock, codec
from mercat.kit.db_errors import AWAY
from mercat.kit.refusals import Invalid, KeyReused, NotFound, Overloaded, SignInFirst
from mercat.orders import Actor, LineQuantity, NotReturnable, Order, OrderLineView, Owed, UnitMove
from mercat.returns import (
    SELLERS_REASONS,
    GoodsReturn,
    NewReturn,
    ReceivedGoods,
    ReceivedUnits,
    ReturnedLine,
    ReturnMovedOn,
    ReturnReason,
    ReturnWhy,
    in_time,
)
from mercat.settings import Settings

ASK, WITHDRAW, REFUSE, RECEIVE = "ask-return", "withdraw-return", "refuse-return", "receive-return"
KINDS = (ASK, WITHDRAW, REFUSE, RECEIVE)
"""How the references of what is begun here start."""


class Deciding(Struct, frozen=True):
    """What somebody wants to become of a return. `seller_id`: who asks; without it the shopper or an operator
    does."""

    return_id: ReturnId
    order_id: OrderId
    seller_id: SellerId | None = None
    why: str = ""
    goods: ReceivedGoods | None = None


class GoodsBack:
    """Carries out what follows from returns, and carries on what broke off. Whose order it is, the asker has
    seen."""

    def __init__(self, neighbours: Neighbours, settings: Settings, undoing: Undoing) -> None:
        self._undoing = undoing
        self._accounts = neighbours.accounts
        self._fulfilment = neighbours.fulfilment
        self._inventory = neighbours.inventory
        self._orders = neighbours.orders
        self._payments = neighbours.payments
        self._returns = neighbours.returns
        self._sellers = neighbours.sellers
        self._days = settings.return_days
        self._approved = settings.return_approval == "auto"

    async def returnable(self, order_id: OrderId, user_id: UserId) -> list[Returnable]:
        """Say of each line of a person's order how many of it may be sent back now, or why none."""
        return await self._returnable_of(await self._orders.order(order_id, [user_id]))

    async def preview_return(self, order_id: OrderId, seller_id: SellerId, ask: AskReturn) -> Owed:
        """Say what a return would pay back if all of it came and nothing was withheld; change nothing."""
        lines = _added(ask.lines)
        delivery = await self._pays_delivery(order_id, seller_id, ask.reason)
        moves = [
            UnitMove(kind="ask_return", reference="", who="shopper", lines=lines),
            UnitMove(kind="receive_return", reference="", who="seller", lines=lines, pays_delivery=delivery),
        ]
        return await self._orders.preview(order_id, moves)

    async def ask_return(
        self, order_id: OrderId, user_id: UserId, ask: AskReturn, once: str = ""
    ) -> GoodsReturn:
        """Ask to send goods of one seller back, `once` a key. NotReturnable, with why, for what was not
        delivered, is over its time, or is coming back already."""
        return_id = ids.new(ReturnId, order_id.bucket)
        reference = f"{ASK}/{number_of(order_id, once) if once else int(return_id)}"
        known = await self._undoing.known(reference) if once else None
        if known:
            _check_same(codec.decode(known, NewReturn), ask)
        try:
            asked = known or codec.text(await self._new(order_id, user_id, return_id, ask))
        except NotReturnable as no:
            what = f"return/{int(return_id)}/asked", "ask_return", "shopper"
            with suppress(Overloaded, *AWAY):
                await self._orders.note_refusal(order_id, *what, no.code(), str(no))
            raise
        begun, record = await self._undoing.join(reference, order_id, asked)
        new = codec.decode(record, NewReturn)
        _check_same(new, ask)  # with a key another may have begun at the same moment
        return await self._ask(begun, new)

    async def withdraw_return(self, order_id: OrderId, return_id: ReturnId) -> GoodsReturn:
        """Close a return that its shopper thinks better of; its units are theirs again."""
        await self._returns.one(return_id, order_id)
        return await self._decide(WITHDRAW, Deciding(return_id, order_id))

    async def refuse_return(
        self, return_id: ReturnId, why: ReturnWhy, seller_id: SellerId | None = None
    ) -> GoodsReturn:
        """Refuse a return that nobody has approved; its units are the shopper's again."""
        back = await self._returns.one(return_id, seller_id=seller_id)
        return await self._decide(REFUSE, Deciding(return_id, back.order_id, seller_id, why))

    async def receive_return(
        self, return_id: ReturnId, goods: ReceivedGoods, seller_id: SellerId | None = None
    ) -> GoodsReturn:
        """Take goods back, once: what came is paid back, less what is withheld, and what can be sold again
        goes back to the shelf. Invalid where more is withheld than what came is worth."""
        back = await self._returns.one(return_id, seller_id=seller_id)
        if goods.withheld and back.status in ("approved", "in_transit"):
            came = _added(units for units in goods.lines if units.condition != "missing")
            move = await self._received(back, came)
            withheld = msgspec.structs.replace(move, withheld=goods.withheld.amount)
            await self._orders.preview(back.order_id, [withheld])
        return await self._decide(RECEIVE, Deciding(return_id, back.order_id, seller_id, goods=goods))

    async def take_up(self, begun: Begun, record: str) -> None:
        """Carry on what broke off, as it was asked: until goods are here it can be taken back."""
        try:
            if begun.reference.startswith(f"{ASK}/"):
                await self._ask(begun, codec.decode(record, NewReturn))
            else:
                await self._carry_out(begun, codec.decode(record, Deciding))
        except (NotReturnable, NotFound, Invalid, ReturnMovedOn):
            pass  # the order's row or the return's says no, and this is closed

    async def _ask(self, begun: Begun, new: NewReturn) -> GoodsReturn:
        move = UnitMove(
            kind="ask_return",
            reference=f"return/{int(new.return_id)}/asked",
            who="shopper",
            lines=_units(new.lines, "quantity"),
            reason=new.reason,
        )
        try:
            await self._orders.move_units(new.order_id, move)
        except (NotReturnable, NotFound):
            await self._undoing.refused(begun)
            raise
        back = await self._returns.open(new)
        await self._undoing.done(begun)
        return back

    async def _decide(self, kind: str, deciding: Deciding) -> GoodsReturn:
        reference = f"{kind}/{int(deciding.return_id)}"
        begun = await self._undoing.begin(reference, deciding.order_id, deciding)
        return await self._carry_out(begun, deciding)

    async def _carry_out(self, begun: Begun, deciding: Deciding) -> GoodsReturn:
        """Decide, then do what follows from what the row says: also where somebody else decided before."""
        kind, refusal = begun.reference.partition("/")[0], None
        try:
            if kind == WITHDRAW:
                await self._returns.withdraw(deciding.return_id, deciding.order_id)
            elif kind == REFUSE:
                await self._returns.refuse(deciding.return_id, deciding.why, deciding.seller_id)
            elif deciding.goods:
                await self._returns.receive(deciding.return_id, deciding.goods, deciding.seller_id)
        except (ReturnMovedOn, Invalid) as no:
            refusal = no
        back = await self._follow(await self._returns.one(deciding.return_id))
        if refusal:
            await self._undoing.refused(begun)
            raise refusal
        await self._undoing.done(begun)
        return back

    async def _follow(self, back: GoodsReturn) -> GoodsReturn:
        """Do what a decision asks for; again, nothing more."""
        if back.status == "received":
            return await self._pay_back(back)
        if back.status == "refused" or back.decided_by == "shopper":
            move = UnitMove(
                kind="drop_return",
                reference=f"return/{int(back.return_id)}/dropped",
                who=_actor(back),
                lines=_units(back.lines, "quantity"),
                reason=back.refused_because,
            )
            await self._orders.move_units(back.order_id, move)
        return back

    async def _pay_back(self, back: GoodsReturn) -> GoodsReturn:
        """Pay what came, put what can be sold again on the shelf, and settle the return."""
        reference = f"return/{int(back.return_id)}"
        owed = await self._owed(back, f"{reference}/received")
        if owed.parts:
            await self._payments.refund(back.order_id, refund_request(reference, owed))
        if shelf := [Line(line.offer_id, line.sellable) for line in back.lines if line.sellable]:
            await self._inventory.put_back(reference, shelf)
        return await self._returns.settle(back.return_id, owed.amount)

    async def _owed(self, back: GoodsReturn, reference: str) -> Owed:
        """Decide, once, what a received return pays back."""
        move = msgspec.structs.replace(
            await self._received(back, _units(back.lines, "sellable", "damaged")),
            reference=reference,
            missing=_units(back.lines, "missing"),
            withheld=back.withheld,
            reason=back.withheld_because,
        )
        try:
            return await self._orders.move_units(back.order_id, move)
        except Invalid:  # paid back otherwise meanwhile, so less is left than is withheld
            free = msgspec.structs.replace(move, withheld=0)
            left = (await self._orders.preview(back.order_id, [free])).amount
            less = msgspec.structs.replace(move, withheld=left)
            return await self._orders.move_units(back.order_id, less)

    async def _received(self, back: GoodsReturn, came: list[LineQuantity]) -> UnitMove:
        return UnitMove(
            kind="receive_return",
            reference="",
            who=_actor(back),
            lines=came,
            pays_delivery=await self._pays_delivery(back.order_id, back.seller_id, back.reason),
        )

    async def _pays_delivery(self, order_id: OrderId, seller_id: SellerId, reason: ReturnReason) -> bool:
        """Say whether all that came back of a seller's part, this time and before, did so by their fault."""
        if reason not in SELLERS_REASONS:
            return False
        before = await self._returns.of_order(order_id)
        return {
            each.reason for each in before if each.received_at and each.seller_id == seller_id
        } <= SELLERS_REASONS

    async def _new(
        self, order_id: OrderId, user_id: UserId, return_id: ReturnId, ask: AskReturn
    ) -> NewReturn:
        """Look up what a return needs, once; no later step does."""
        order = await self._orders.order(order_id, [user_id])
        lines = _allowed(await self._returnable_of(order), _added(ask.lines))
        seller_id = lines[0][0].seller_id
        name, email = await self._seller(seller_id)
        return NewReturn(
            return_id=return_id,
            order_id=order_id,
            user_id=order.user_id,
            seller_id=seller_id,
            seller_name=name,
            reason=ask.reason,
            comment=ask.comment,
            currency=order.currency,
            lines=[_line(*each) for each in lines],
            approved=self._approved,
            seller_email=email,
        )

    async def _seller(self, seller_id: SellerId) -> tuple[str, str]:
        """Say what a seller is called, and where they are told; nowhere where they are nobody's yet."""
        try:
            seller = await self._sellers.seller(seller_id)
            account = await self._accounts.person(seller.user_id) if seller.user_id else None
        except (NotFound, SignInFirst):  # the seller, or their account, has gone
            return (await self._sellers.names([seller_id])).get(seller_id, "the seller"), ""
        return seller.name, account.email if account else ""

    async def _returnable_of(self, order: Order) -> list[Returnable]:
        parcels = [
            (event.at, {line.order_line_id: line.quantity for line in parcel.lines})
            for parcel in await self._fulfilment.of_order(order.order_id)
            for event in parcel.events
            if event.status == "delivered"
        ]
        fresh = in_time(parcels, clock.now(), self._days)
        arrived: dict[LineId, datetime] = {}
        for at, inside in parcels:
            arrived |= {line_id: max(at, arrived.get(line_id, at)) for line_id in inside}
        return [
            self._returnable(line, fresh.get(line.order_line_id, 0), arrived.get(line.order_line_id))
            for line in order.lines
        ]

    def _returnable(self, line: OrderLineView, fresh: int, arrived: datetime | None) -> Returnable:
        """Count what may still come back; what came before is taken for what was delivered first."""
        gone = line.returned + line.coming_back
        quantity = max(0, min(line.delivered - gone, fresh))
        until = arrived + timedelta(days=self._days) if arrived else None
        if quantity:
            return Returnable(line, quantity, until)
        if line.delivered == 0:
            why = "It was not delivered yet, and only what has arrived can be sent back."
        elif gone >= line.delivered:
            why = "All that was delivered of it is coming back already, or has come back."
        else:
            why = f"It was delivered more than {self._days:g} days ago."
        return Returnable(line, 0, until, why)


def _allowed(known: list[Returnable], wanted: list[LineQuantity]) -> list[tuple[OrderLineView, int]]:
    """Answer the lines that are asked for, of one seller. NotReturnable, with what can be, beyond."""
    by_line = {each.line.order_line_id: each for each in known}
    found: list[tuple[Returnable, int]] = []
    for each in wanted:
        if each.order_line_id not in by_line:
            raise NotFound("This order has no such line.", pointer="/lines")
        found.append((by_line[each.order_line_id], each.quantity))
    if len({each.line.seller_id for each, _ in found}) > 1:
        raise Invalid("Goods go back to who sold them: ask one seller at a time.", pointer="/lines")
    short = [each for each, quantity in found if quantity > each.quantity]
    if short:
        words = short[0].why or f"Only {short[0].quantity} of this can be sent back."
        raise NotReturnable(words, pointer="/lines", lines=[_said(each) for each in short])
    return [(each.line, quantity) for each, quantity in found]


def _said(each: Returnable) -> dict[str, Any]:
    """Say of a line what can come back, for the problem document."""
    line = each.line
    return {
        "order_line_id": str(line.order_line_id),
        "returnable": each.quantity,
        "delivered": line.delivered,
        "coming_back": line.coming_back,
        "returned": line.returned,
        "until": each.until.isoformat() if each.until else None,
    }


def _line(line: OrderLineView, quantity: int) -> ReturnedLine:
    return ReturnedLine(
        order_line_id=line.order_line_id,
        product_id=line.product_id,
        offer_id=line.offer_id,
        title=line.title,
        image_url=line.image_url,
        unit_price=line.unit_price,
        quantity=quantity,
    )


def _check_same(new: NewReturn, ask: AskReturn) -> None:
    """Raise KeyReused where a key was used for another return."""
    begun, asked = (
        sorted((each.order_line_id, each.quantity) for each in lines)
        for lines in (new.lines, _added(ask.lines))
    )
    if (begun, new.reason, new.comment) != (asked, ask.reason, ask.comment):
        raise KeyReused


def _added(units: Iterable[LineQuantity | ReceivedUnits]) -> list[LineQuantity]:
    """Add up what is said of a line several times."""
    sums: dict[LineId, int] = {}
    for each in units:
        sums[each.order_line_id] = sums.get(each.order_line_id, 0) + each.quantity
    return [LineQuantity(line_id, quantity) for line_id, quantity in sums.items()]


def _units(lines: Iterable[ReturnedLine], *counts: str) -> list[LineQuantity]:
    """List how many units of each line are in these counts of it."""
    sums = [(line.order_line_id, sum(getattr(line, count) for count in counts)) for line in lines]
    return [LineQuantity(line_id, quantity) for line_id, quantity in sums if quantity]


def _actor(back: GoodsReturn) -> Actor:
    return back.decided_by if back.decided_by in ("operator", "shopper") else "seller"
