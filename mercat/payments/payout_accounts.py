"""The accounts that sellers are paid to: handed to the payout provider, and kept masked."""

import re

import asyncpg

from mercat.ids import SellerId
from mercat.kit import clock, sql
from mercat.kit.refusals import Invalid
from mercat.payments.messages import NewPayoutAccount, PayoutAccount
from mercat.payments.payout_provider import PayoutProvider

queries = sql.load("mercat.payments")
_SHOWN = 4
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_NUMBER = re.compile(r"[0-9]{4,17}")


class PayoutAccounts:
    """Where sellers are paid to."""

    def __init__(self, db: asyncpg.Pool, provider: PayoutProvider) -> None:
        self._db = db
        self._provider = provider

    async def payout_account(self, seller_id: SellerId) -> PayoutAccount:
        """Answer where a seller is paid to; not ready where nothing was said of it."""
        row = await self._db.fetchrow(queries.payout_account, seller_id)
        if row is None or row["changed_at"] is None:
            return PayoutAccount(
                "", "", "", bool(self._provider.destination), row is not None and row["refused"]
            )
        return sql.row(PayoutAccount, row)

    async def set_payout_account(self, seller_id: SellerId, account: NewPayoutAccount) -> PayoutAccount:
        """Name the account that a seller is paid to from now on. Invalid for one that cannot be."""
        checked = NewPayoutAccount(
            account.holder.strip(), checked_account(account.account), account.bank.strip()
        )
        destination = await self._provider.open_account(seller_id, checked)
        await self._db.execute(
            queries.set_payout_account,
            seller_id,
            checked.holder,
            masked(checked.account),
            checked.bank.upper(),
            destination,
            clock.now(),
        )
        return await self.payout_account(seller_id)


def checked_account(given: str) -> str:
    """Read an IBAN, whose check digits have to fit (ISO 13616), or the number of an account."""
    account = re.sub(r"[\s-]", "", given).upper()
    if _NUMBER.fullmatch(account):
        return account
    if not _IBAN.fullmatch(account):
        raise Invalid("This is neither an IBAN nor the number of an account.", pointer="/account")
    digits = "".join(str(int(each, 36)) for each in account[4:] + account[:4])
    if int(digits) % 97 != 1:
        raise Invalid("The check digits of this IBAN do not fit. Look for a slip.", pointer="/account")
    return account


def masked(account: str) -> str:
    """Hide an account but for its last digits."""
    return f"•••• {account[-_SHOWN:]}"
