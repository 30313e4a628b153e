"""What a payment provider is asked, and what it answers. One class each lives beside this: `sandbox`,
`stripe`."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from mercat.ids import CheckoutId, OrderId, RefundId, UserId
from mercat.kit.refusals import BadRequest
from mercat.payments.messages import KeptCard

State = Literal["captured", "authorised", "challenged", "declined", "cancelled", "unknown"]


class Ask(NamedTuple):
    """A charge, by its key: a known key is answered as it was first. `amount` in minor units; `customer`:
    whom the card is attached to at the provider."""

    key: CheckoutId
    order_id: OrderId
    amount: int
    currency: str
    token: str
    customer: str = ""


class Answer(NamedTuple):
    """What became of a charge. `url`: where the shopper has to go; `reason`: the bank's words for a no."""

    state: State
    reference: str = ""
    amount: int = 0
    reason: str = ""
    url: str = ""


class Notice(NamedTuple):
    """What a provider tells us of its own accord: that something happened to a charge, never what to
    believe. But for a refund that failed long after it was made, which nobody asks about again: `trouble`
    says which, in the provider's words, and `refund_id` which of ours it is."""

    event_id: str
    kind: str
    checkout_id: CheckoutId | None
    trouble: str = ""
    refund_id: RefundId | None = None


class Listed(NamedTuple):
    """A charge in the provider's books."""

    key: CheckoutId | None
    reference: str
    state: State
    amount: int
    refunded: int
    currency: str


class Away(TimeoutError):
    """The provider said nothing, or that it cannot say now: it may have done what was asked."""


class NoCustomer(Exception):
    """The provider has no such customer any more, or had them under other keys."""


class BadSignature(BadRequest):
    """This notice was not signed by the provider, or too long ago."""


class Provider(Protocol):
    """`remembers`: it finds a charge by our key for ever. Else what was asked, and its own reference, are
    kept before money can move. `once`: a card works once, unless it is attached to a customer. Everything
    may raise Away."""

    name: str
    remembers: bool
    once: bool

    async def customer(self, user_id: UserId, lost: str) -> str:
        """Makes the customer of a shopper, once; and once more after one that was `lost`."""
        ...

    async def attach(self, customer: str, token: str) -> KeptCard:
        """From now on the card works for this customer, as often as they like; again changes nothing. Raises
        NoCustomer, and Invalid for a card that is not taken."""
        ...

    async def authorise(self, ask: Ask) -> Answer:
        """Asks for the money; a provider may capture it in the same breath."""
        ...

    async def capture(self, ask: Ask, reference: str) -> Answer:
        """Takes what is authorised; what is captured already stays as it is."""
        ...

    async def look_up(self, ask: Ask, reference: str) -> Answer:
        """What became of it; asks for nothing."""
        ...

    async def cancel(self, ask: Ask, reference: str) -> Answer:
        """Makes sure that this key takes no money any more, and lets go of what is authorised; `captured`
        where it is too late for that."""
        ...

    async def refund(self, refund_id: RefundId, ask: Ask, reference: str, amount: int, again: bool) -> None:
        """Gives back, once a refund; `again`: it may have been asked before, so look first."""
        ...

    def hear(self, body: bytes, signature: str) -> Notice:
        """Reads a notice; raises BadSignature."""
        ...

    def listed(self, since: datetime, until: datetime) -> AsyncIterator[list[Listed]]:
        """Its books, page by page."""
        ...

    async def close(self) -> None: ...
