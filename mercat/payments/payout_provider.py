"""What the shop asks of who pays sellers out; each is a file in `payout_providers`."""

from typing import Literal, NamedTuple, Protocol

from mercat.ids import PayoutId, SellerId
from mercat.payments.messages import NewPayoutAccount


class Transfer(NamedTuple):
    """A transfer, by its key: a known key is answered as it was the first time."""

    key: PayoutId
    seller_id: SellerId
    amount: int
    currency: str
    destination: str


class TransferResult(NamedTuple):
    """What became of a transfer: it is on its way and final, or was refused with the bank's words."""

    state: Literal["paid", "refused"]
    reference: str = ""
    reason: str = ""


class PayoutProvider(Protocol):
    """The adapter of who pays out. Every request may raise ProviderUnreachable: it may have been done."""

    name: str
    real_money: bool
    destination: str
    """Where a seller is paid to who has named no account; empty: nowhere, so they wait."""

    async def open_account(self, seller_id: SellerId, account: NewPayoutAccount) -> str:
        """Hand an account over, and return what it is called from now on; Invalid for one that is not taken.

        The shop keeps that name, and of the account its last digits alone."""
        ...

    async def pay(self, transfer: Transfer) -> TransferResult:
        """Pay, once a key."""
        ...

    async def close(self) -> None: ...
