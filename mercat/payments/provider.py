"""What the shop asks of a payment provider, and what a provider says of itself.

Each provider is a folder in `providers`; here is what all of them have in common.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import asyncpg

from mercat.ids import CheckoutId, OrderId, RefundId, UserId
from mercat.kit.refusals import BadRequest
from mercat.payments.messages import KeptCard
from mercat.settings import Settings

ChargeState = Literal["captured", "authorised", "challenged", "declined", "cancelled", "unknown"]


class ChargeRequest(NamedTuple):
    """A charge, by its key: a known key is answered as it was the first time.

    `amount` is in minor units; `customer` is whom the card is attached to at the provider."""

    key: CheckoutId
    order_id: OrderId
    amount: int
    currency: str
    token: str
    customer: str = ""


class ChargeResult(NamedTuple):
    """What became of a charge. `url`: where the shopper has to go; `reason`: the bank's code for a no."""

    state: ChargeState
    reference: str = ""
    amount: int = 0
    reason: str = ""
    url: str = ""


class WebhookEvent(NamedTuple):
    """What a webhook is about: a charge of which something changed, which is then asked for.

    Only a refund that failed long after it was made is believed at once, since nobody asks about it again:
    `failure` has the provider's words for it, and `refund_id` is ours."""

    event_id: str
    kind: str
    checkout_id: CheckoutId | None
    failure: str = ""
    refund_id: RefundId | None = None


ASKS = ("customer", "attach", "authorise", "authorise_many", "capture", "look_up", "cancel", "refund")
"""What is asked of a provider, as `Provider` names it."""


class ListedCharge(NamedTuple):
    """A charge in the provider's books. Amounts in minor units."""

    key: CheckoutId | None
    reference: str
    state: ChargeState
    amount: int
    refunded: int
    currency: str


class ProviderUnreachable(TimeoutError):
    """The provider did not answer, or cannot say now: it may have done what was asked."""


class UnknownCustomer(Exception):
    """The provider has no such customer any more, or had them under other keys."""


class BadSignature(BadRequest):
    """This notice was not signed by the provider, or too long ago."""


class Provider(Protocol):
    """The adapter of a payment provider. Every request may raise ProviderUnreachable."""

    name: str
    finds_by_our_key: bool
    """It finds a charge by our key for ever. Otherwise the request, and the provider's reference, are stored
    before money can move."""
    single_use: bool
    """A token works once, unless it is attached to a customer."""
    token: re.Pattern[str]
    """What the token of a card looks like."""
    challenge_path: str
    """Where a shopper answers the bank on a page of this shop, followed by a ticket; empty: elsewhere."""

    async def customer(self, user_id: UserId, lost: str) -> str:
        """Make the customer of a shopper, once; and once more after one that was `lost`."""
        ...

    async def attach(self, customer: str, token: str) -> KeptCard:
        """Attach a card to a customer, for any number of charges; again changes nothing.

        Raises UnknownCustomer, and Invalid for a card that is not taken."""
        ...

    async def authorise(self, request: ChargeRequest) -> ChargeResult:
        """Ask for the money; a provider may capture it at the same time."""
        ...

    def takes_together(self, token: str) -> bool:
        """Say whether charges of this card are answered at once, so that many may be asked for together."""
        ...

    async def authorise_many(self, requests: list[ChargeRequest]) -> list[ChargeResult]:
        """Ask for the money of many charges, all of cards that `takes_together` says yes of."""
        ...

    async def capture(self, request: ChargeRequest, reference: str) -> ChargeResult:
        """Capture what is authorised; what is captured already stays as it is."""
        ...

    async def look_up(self, request: ChargeRequest, reference: str) -> ChargeResult:
        """Find out what became of a charge, without asking for money."""
        ...

    async def cancel(self, request: ChargeRequest, reference: str) -> ChargeResult:
        """Make sure that this key takes no money any more, and release what is authorised.

        Answers `captured` where it is too late for that."""
        ...

    async def refund(
        self, refund_id: RefundId, request: ChargeRequest, reference: str, amount: int, again: bool
    ) -> None:
        """Pay back, once a refund. `again`: it may have been asked before, so look first."""
        ...

    async def answer_challenge(self, key: CheckoutId, approve: bool) -> None:
        """Tell the bank the shopper's answer; NotFound where `challenge_path` is empty."""
        ...

    def read_webhook(self, body: bytes, signature: str) -> WebhookEvent:
        """Verify and read a webhook; raises BadSignature."""
        ...

    def listed(self, since: datetime, until: datetime) -> AsyncIterator[list[ListedCharge]]:
        """Read the provider's books, page by page."""
        ...

    async def close(self) -> None: ...


class CardField(NamedTuple):
    """The provider's own field for a new card on the checkout page."""

    public_key: str
    script: Path
    policy: Mapping[str, str]
    """Directives of the page's Content-Security-Policy that let the field in, in place of the usual ones."""


class TestCard(NamedTuple):
    """A card for trying things out. `label` names it in a list, `effect` says what will happen."""

    token: str
    brand: str
    last4: str
    label: str
    effect: str

    @property
    def name(self) -> str:
        return f"{self.brand} ending in {self.last4}"


class ProviderDeclaration(NamedTuple):
    """What the rest of the shop has to know of the provider in use."""

    title: str
    """Its name for people."""
    connect: Callable[[asyncpg.Pool], Provider]
    """Make the adapter: only then is the provider's library loaded."""
    signature_header: str
    """The header in which its webhooks are signed."""
    real_money: bool
    test_cards: tuple[TestCard, ...] = ()
    card_field: CardField | None = None


class ProviderModule(Protocol):
    """What the module of a provider's folder has."""

    @property
    def OWN_SETTINGS(self) -> type[Any]:
        """Return the struct of the settings that only this provider has."""
        ...

    def declare(self, settings: Settings) -> ProviderDeclaration:
        """Say what the shop has to know of it; raises WrongSetting."""
        ...


def time_limit(provider: Provider, seconds: float) -> AbstractAsyncContextManager[object]:
    """Limit how long a provider may take: TimeoutError after that.

    One that finds charges by our key (the sandbox) keeps the limit by itself: a timer for each charge costs
    measurable time."""
    return nullcontext() if provider.finds_by_our_key else asyncio.timeout(seconds)
