"""One purchase on its way, from the cart to its answer."""

from functools import cached_property
from typing import NamedTuple

from msgspec import structs

from mercat.checkout.messages import Buy, CheckoutAnswer, PendingOrder, Refused
from mercat.ids import CheckoutId
from mercat.inventory import Line
from mercat.kit.batching import Member
from mercat.kit.rpc import Caller
from mercat.orders import Channel, NewOrder
from mercat.payments import PaymentUnavailable, Tender


class Wanted(NamedTuple):
    """What a shopper wants to buy with what, and under which key."""

    caller: Caller
    key: str
    ask: Buy
    fingerprint: bytes
    keep_card: bool = False
    """Whether the card is kept once it has paid."""
    channel: Channel = "web"


class Purchase(Member[CheckoutAnswer]):
    """A purchase, in the hands of whoever holds its lease under `fence`; 0: it has not begun.

    `paid`: its charge is captured; `placed`: its order is known to be stored; `refusal`: why it is undone."""

    wanted: Wanted
    record: PendingOrder
    flash_pass: str | None = None
    fence = 0
    paid = False
    placed = False
    refusal: Refused | None = None

    @classmethod
    def new(cls, wanted: Wanted) -> "Purchase":
        """Make one that is to be begun."""
        purchase = cls()
        purchase.wanted = wanted
        return purchase

    @classmethod
    def standing(
        cls, record: PendingOrder, fence: int, direction: str | None = None, refusal: Refused | None = None
    ) -> "Purchase":
        """Make one of what the database says of it, for who took it over.

        Who charged it may be a worker of an earlier release, so what the shop keeps of it is not told."""
        purchase = cls()
        order = structs.replace(record.order, commissions=None)
        purchase.record, purchase.fence = structs.replace(record, order=order), fence
        purchase.again, purchase.paid = True, direction == "forward"
        if direction == "undo":
            purchase.refusal = refusal or Refused.by(PaymentUnavailable())
        return purchase

    @property
    def order(self) -> NewOrder:
        return self.record.order

    @property
    def checkout_id(self) -> CheckoutId:
        return self.record.order.checkout_id

    @property
    def tenders(self) -> list[Tender]:
        """What gift cards and store credit pay of it."""
        return self.record.tenders

    @cached_property
    def goods(self) -> list[Line]:
        """What leaves the shelf and the cart."""
        return [Line(line.offer_id, line.quantity) for line in self.record.order.lines]
