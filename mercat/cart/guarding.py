"""What stands between gift cards and who guesses their codes: limits by person and by network."""

from contextlib import asynccontextmanager
from math import ceil

from mercat.ids import UserId
from mercat.kit.limits import Limit, Limits
from mercat.kit.refusals import TooManyRequests
from mercat.kit.valkey import Store
from mercat.payments import GiftCardUnknown
from mercat.settings import Settings

_GUESSES = Limit(rate=1 / 60, burst=20)
"""Of one person."""
_PEOPLE_AT_ONCE = 10
"""So many times what one network may try of passwords: many people share one, and codes are longer."""


class GiftCodeGuard:
    """Counts codes that were wrong, by person and by network."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._limits = Limits(store)
        self._wrong = Limit(settings.guess_rate, settings.guess_burst * _PEOPLE_AT_ONCE)

    @asynccontextmanager
    async def guess(self, user_id: UserId, network: str):
        """Count a code unless it is a gift card's; TooManyRequests where there were too many.

        It is counted before it is looked up, so that a thousand at once are not all looked up."""
        buckets = [(f"gift-codes:{int(user_id)}", _GUESSES)]
        if network:
            buckets.append((f"gift-codes-from:{network}", self._wrong))
        verdicts = await self._limits.take(*buckets)
        if waits := [each.retry_after_s for each in verdicts if not each.allowed]:
            taken = [bucket for bucket, each in zip(buckets, verdicts, strict=True) if each.allowed]
            if taken:  # who is stopped does not use up what the others of their network have
                await self._limits.give_back(*taken)
            raise TooManyRequests(
                "Too many gift card codes that were wrong. Wait a little, then try again.",
                retry_after=max(1, ceil(max(waits))),
            )
        try:
            yield
        except GiftCardUnknown:
            raise
        except BaseException:
            await self._limits.give_back(*buckets)
            raise
        await self._limits.give_back(*buckets)
