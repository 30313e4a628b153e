"""The audit: runs each law, and breaks each to prove that it would be noticed."""

from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import asyncpg
from msgspec import Struct

from mercat.audit.files import named
from mercat.audit.mirrors import (
    Mirrored,
    mirrors,
    names_in,
    of_its_own,
    of_the_tables,
    reads_orders,
    within_one,
)

_TRIES = 3
_TRIAL_BALANCE = """
select case when account ~ '^(seller|delivery):' then 'sellers' else account end as account, currency,
    sum(amount)::bigint as balance, count(*) as postings
from payments.entry, unnest(accounts, amounts) as u (account, amount) group by 1, 2 order by 1, 2
"""


class Law(NamedTuple):
    """An invariant, as a statement that answers `checked` and `violations`.

    It reads either tables of orders alone, so that each database of orders checks its own, or none of them:
    what orders say of others it reads in mirrors."""

    name: str
    text: str

    @property
    def statement(self) -> str:
        """As it is checked where all orders are in the shop's own database."""
        return within_one(self.text)


class Finding(Struct, frozen=True):
    """What the audit found of a law: the rows it was checked on, and how many broke it."""

    law: str
    checked: int
    violations: int


def laws() -> list[Law]:
    """Read the laws."""
    return [Law(name, text) for name, text in named("laws.sql", "law")]


def breaks(law: str) -> list[str]:
    """Read the ways to break a law, each of which the audit must notice: on one side, and on the other."""
    return [text for name, text in named("breaks.sql", "break") if name == law]


async def audit(db: asyncpg.Connection, chosen: Sequence[Law] | None = None) -> list[Finding]:
    """Check all laws over one snapshot of live data."""
    async with db.transaction(isolation="repeatable_read", readonly=chosen is None):
        return [await check(db, law) for law in chosen or laws()]


class Account(Struct, frozen=True):
    """A line of the trial balance, in minor units; debits are positive."""

    account: str
    currency: str
    balance: int
    postings: int


async def trial_balance(db: asyncpg.Connection) -> list[Account]:
    """Sum the whole journal by account, all sellers together: it adds up to zero."""
    rows = await db.fetch(_TRIAL_BALANCE)
    return [Account(*row) for row in rows]


async def check(db: asyncpg.Connection, law: Law) -> Finding:
    """Check one law where all orders are in this database."""
    return await _found(db, law, law.statement)


async def check_over(homes: Sequence[asyncpg.Connection], law: Law) -> Finding:
    """Check one law over orders in several databases, of which the shop's own is the first; its mirrors have
    been made there."""
    if not reads_orders(law.text):
        return await _found(homes[0], law, of_the_tables(law.text))
    found = [await _found(home, law, of_its_own(law.text)) for home in homes]
    return Finding(law.name, sum(each.checked for each in found), sum(each.violations for each in found))


async def _found(db: asyncpg.Connection, law: Law, statement: str) -> Finding:
    row = await db.fetchrow(statement)
    assert row is not None
    return Finding(law.name, row["checked"], row["violations"])


async def prove(*owners: asyncpg.Connection) -> list[Finding]:
    """Break each law in every way that is known, in transactions that are rolled back; `violations` is what
    the audit noticed, 0 where it missed one way. Constraints that would refuse the damage are lifted inside.
    `owners`: connections to the shop's own database, and to the others that have orders."""
    findings: list[Finding] = []
    for law in laws():
        noticed = [await _noticed(owners, law, statements) for statements in breaks(law.name)]
        findings.append(min(noticed, key=lambda each: each.violations))
    return findings


async def _noticed(
    owners: Sequence[asyncpg.Connection], law: Law, statements: str, tries: int = _TRIES
) -> Finding:
    """Break a law in one way and count what is noticed of it; again where the shop changed the same row."""
    try:
        async with _rolled_back(owners):
            before = await _check_anew(owners, law)
            for statement in statements.split(";\n"):
                await (await _damaged_by(statement, owners)).execute(statement)
            after = await _check_anew(owners, law)
    except asyncpg.SerializationError:
        if tries == 1:
            raise
        return await _noticed(owners, law, statements, tries - 1)
    return Finding(law.name, after.checked, after.violations - before.violations)


@asynccontextmanager
async def _rolled_back(owners: Sequence[asyncpg.Connection]):
    """Begin what is rolled back; each database is read as it stands now, whatever is sold meanwhile."""
    async with AsyncExitStack() as stack:
        for owner in owners:
            damage = owner.transaction(isolation="repeatable_read")
            await damage.start()
            stack.push_async_callback(damage.rollback)
            await owner.execute("set local session_replication_role = replica")
            await owner.execute("set local lock_timeout = '5s'")
            await owner.execute("set local timezone = 'UTC'")
        yield


async def _check_anew(owners: Sequence[asyncpg.Connection], law: Law) -> Finding:
    if len(owners) == 1:
        return await check(owners[0], law)
    made = Mirrored(owners[0], owners)
    for name in names_in(law.text):
        await made.make(mirrors()[name])
    return await check_over(owners, law)


async def _damaged_by(statement: str, owners: Sequence[asyncpg.Connection]) -> asyncpg.Connection:
    """Find the database that a statement of `breaks.sql` damages: its orders are of bucket 0."""
    if reads_orders(statement):
        for owner in owners:
            if await owner.fetchval("select buckets @> 0 from orders.here"):
                return owner
    return owners[0]
