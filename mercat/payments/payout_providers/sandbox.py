"""The sandbox: transfers for trying things out, which move no money and stand in books of their own.

Accounts whose number ends in 0002 are closed: a transfer to one is refused.
"""

import asyncpg

from mercat.ids import SellerId
from mercat.kit import sql
from mercat.payments.messages import NewPayoutAccount
from mercat.payments.payout_provider import Transfer, TransferResult

queries = sql.load("mercat.payments")
_CLOSED = "0002"
_CLOSED_ACCOUNT = "sandbox_closed"


class SandboxTransfers:
    """The adapter. A transfer under a known key is answered as it was first."""

    name = "sandbox"
    real_money = False
    destination = "sandbox"

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def open_account(self, seller_id: SellerId, account: NewPayoutAccount) -> str:
        return _CLOSED_ACCOUNT if account.account.endswith(_CLOSED) else "sandbox_open"

    async def pay(self, transfer: Transfer) -> TransferResult:
        state = "refused" if transfer.destination == _CLOSED_ACCOUNT else "paid"
        asked = transfer.key, transfer.amount, transfer.currency, transfer.destination, state
        await self._db.execute(queries.sandbox_pay, *asked)
        if await self._db.fetchval(queries.sandbox_transfer, transfer.key) == "refused":
            return TransferResult("refused", reason="The account is closed.")
        return TransferResult("paid", f"sandbox/{transfer.key}")

    async def close(self) -> None:
        pass
