"""What stands between a password and who guesses it: limits, and a bounded line before the hash."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha256
from math import ceil
from typing import TypeVar

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from mercat.ids import UserId
from mercat.kit.limits import Limit, Limits
from mercat.kit.refusals import Overloaded, TooManyRequests, Unavailable
from mercat.kit.valkey import Store
from mercat.settings import Settings

log = structlog.get_logger("mercat.accounts")
Value = TypeVar("Value")
_GUESSES = Limit(rate=0.2, burst=20)
"""Of one account from one network; nobody elsewhere is kept out by it."""
_CODES = Limit(rate=1 / 60, burst=5)
"""Of one account's second step from one network."""
_CODES_IN_ALL = Limit(rate=1 / 60, burst=50)
"""Of one account's second step; asked only of who knows the password."""
_LETTERS = Limit(rate=1 / 300, burst=10)
_NEWCOMERS_HERE = Limit(rate=1, burst=90)
"""Registrations and resets from this machine itself, where the makers of a shop try things out."""
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_AT_ONCE = 2
_WAITING_MAX = 40


class Guard:
    """Counts guesses, by account and network together and by network alone."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._limits = Limits(store)
        self._wrong = Limit(settings.guess_rate, settings.guess_burst)
        asked = Limit(settings.newcomer_rate, settings.newcomer_burst)
        self._newcomers = asked
        self._newcomers_here = Limit(
            max(asked.rate, _NEWCOMERS_HERE.rate), max(asked.burst, _NEWCOMERS_HERE.burst)
        )

    @asynccontextmanager
    async def guess(self, account: str, network: str):
        """Count a guess unless it turns out right; TooManyRequests where there were too many.

        It is counted before the password is looked at, so that a thousand at once are not all looked at."""
        buckets = [(f"sign-in:{_digest(account)}:{network}", _GUESSES)]
        if network:
            buckets.append((f"sign-ins:{network}", self._wrong))
        await self._take(*buckets)
        try:
            yield
        except Overloaded:  # the password was not looked at
            await self._limits.give_back(*buckets)
            raise
        await self._limits.give_back(*buckets)

    @asynccontextmanager
    async def code(self, user_id: UserId, network: str):
        """Count a guess at a second step unless it turns out right; TooManyRequests as for `guess`.

        A right code is spent by then, so it stays right where it cannot be taken off the count."""
        buckets = [
            (f"code:{int(user_id)}:{network}", _CODES),
            (f"codes:{int(user_id)}", _CODES_IN_ALL),
        ]
        await self._take(*buckets)
        yield
        try:
            await self._limits.give_back(*buckets)
        except Unavailable as away:
            log.warning("a right code counts as a guess", reason=repr(away)[:200])

    async def count_newcomer(self, network: str) -> None:
        """Count a registration, or somebody who forgot a password."""
        if network:
            here = network == "::" or network.startswith("127.")
            limit = self._newcomers_here if here else self._newcomers
            await self._take((f"newcomers:{network}", limit))

    async def may_write_to(self, email: str) -> bool:
        """Say whether one more letter may go to an address that somebody typed; nobody is flooded."""
        [verdict] = await self._limits.take((f"letters:{_digest(email)}", _LETTERS))
        return verdict.allowed

    async def _take(self, *buckets: tuple[str, Limit]) -> None:
        verdicts = await self._limits.take(*buckets)
        waits = [each.retry_after_s for each in verdicts if not each.allowed]
        if waits:
            raise TooManyRequests(
                "Too many attempts. Wait a little, then try again.", retry_after=max(1, ceil(max(waits)))
            )


class Passwords:
    """Hashes of passwords, argon2id; they wait in a line that has an end."""

    def __init__(self) -> None:
        self._nobody = _hash_of_nobody()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Hash a password; Overloaded where too many wait already."""
        return await self._in_turn(lambda: _HASHER.hash(password))

    async def fits(self, hashed: str | None, password: str) -> bool:
        """Check a password; without a hash it takes as long, and fits nobody."""
        matches = await self._in_turn(lambda: _matches(hashed or self._nobody, password))
        return matches and hashed is not None

    async def _in_turn(self, work: Callable[[], Value]) -> Value:
        if self._waiting >= _WAITING_MAX:
            raise Overloaded("Very many people sign in at this moment. Try again in a few seconds.")
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


@cache
def _hash_of_nobody() -> str:
    """Make the hash that a password is compared with where there is no account."""
    return _HASHER.hash(secrets.token_hex())


def _matches(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def _digest(account: str) -> str:
    return sha256(account.lower().encode()).hexdigest()
