"""Gift cards among the goods of an order: handed over once it is paid, and void when they are paid back.

The order's row decides first which units are handed over: what is cancelled is never made, what is made is
never cancelled. All of it may come again: each step is once an order's line.
"""

from contextlib import suppress

from mercat.checkout.neighbours import Neighbours
from mercat.events import GiftCardsBought, OrderPlaced, RefundPaid
from mercat.ids import OrderId, ShipmentId
from mercat.kit.event_log import on
from mercat.kit.refusals import NotFound
from mercat.orders import LineQuantity, NotShippable, OrderLineView
from mercat.payments import GiftCardsDue, UnitsBack


class GiftCardOrders:
    """Follows orders of gift cards, and what is paid back of them."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._orders = neighbours.orders
        self._payments = neighbours.payments

    @on(OrderPlaced, outside=True)
    async def hand_over(self, events: list[OrderPlaced]) -> None:
        """Make the gift cards of these orders; they have arrived as soon as they are made."""
        for event in events:
            if event.gift_cards:
                for line_id in event.gift_cards.lines:
                    await self._hand_over(event, event.gift_cards, ShipmentId(int(line_id)))

    @on(RefundPaid, outside=True)
    async def take_back(self, events: list[RefundPaid]) -> None:
        """Void the gift cards of units that were paid back."""
        for order_id in dict.fromkeys(event.order_id for event in events):
            if await self._payments.sold_of(order_id):
                await self._take_back(order_id)

    async def _take_back(self, order_id: OrderId) -> None:
        order = await self._orders.order(order_id, None)
        if back := [UnitsBack(line.order_line_id, line.refunded) for line in order.lines if line.refunded]:
            await self._payments.void_sold(order_id, back)

    async def _hand_over(self, event: OrderPlaced, gift: GiftCardsBought, shipment_id: ShipmentId) -> None:
        """`shipment_id`: the number of the line, of which there is one parcel that nobody carries."""
        line = await self._shipped(event.order_id, shipment_id)
        if line is None or not line.shipped:
            return
        due = GiftCardsDue(
            order_id=event.order_id,
            order_line_id=line.order_line_id,
            units=line.shipped,
            amount=line.unit_price,
            currency=event.currency,
            email=gift.email,
            name=gift.name,
            message=gift.message,
            sender=gift.sender,
        )
        await self._payments.issue_sold(due)
        await self._take_back(event.order_id)  # what was paid back before there was a card
        arrived = [LineQuantity(line.order_line_id, line.shipped)]
        await self._orders.arrived(event.order_id, shipment_id, arrived)

    async def _shipped(self, order_id: OrderId, shipment_id: ShipmentId) -> OrderLineView | None:
        """Hand over what is left of a line, and answer how it stands then; None for an order that is gone."""
        try:
            line = await self._line(order_id, shipment_id)
            if line.left:
                units = [LineQuantity(line.order_line_id, line.left)]
                with suppress(NotShippable):  # some of it was cancelled at this moment
                    await self._orders.ship(order_id, line.seller_id, shipment_id, units)
                line = await self._line(order_id, shipment_id)
        except NotFound:
            return None
        if line.left:
            raise NotShippable  # the log brings it again
        return line

    async def _line(self, order_id: OrderId, shipment_id: ShipmentId) -> OrderLineView:
        order = await self._orders.order(order_id, None)
        return next(line for line in order.lines if int(line.order_line_id) == int(shipment_id))
