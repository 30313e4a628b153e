"""Who can pay sellers out: one file each, and one line in this list."""

from collections.abc import Callable

import asyncpg

from mercat.payments.payout_provider import PayoutProvider
from mercat.payments.payout_providers.sandbox import SandboxTransfers
from mercat.settings import Settings, WrongSetting

PAYOUT_PROVIDERS: dict[str, Callable[[Settings, asyncpg.Pool], PayoutProvider]] = {
    "sandbox": lambda settings, db: SandboxTransfers(db),
}


def connect_payouts(settings: Settings, db: asyncpg.Pool) -> PayoutProvider:
    """Make the adapter that the settings name; raises WrongSetting."""
    make = PAYOUT_PROVIDERS.get(settings.payout_provider)
    if make is None:
        known = ", ".join(PAYOUT_PROVIDERS)
        raise WrongSetting(f"MERCAT_PAYOUT_PROVIDER cannot be {settings.payout_provider!r}: it is {known}.")
    return make(settings, db)
