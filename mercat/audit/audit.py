"""The audit: runs each law, and breaks each to prove that it would be noticed."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg
from msgspec import Struct

_HEADING = re.compile(r"^-- (?:law|break): (.+)\n", re.MULTILINE)
_HERE = Path(__file__).parent
_TRIAL_BALANCE = """
select case when account ~ '^(seller|delivery):' then 'sellers' else account end as account, currency,
    sum(amount)::bigint as balance, count(*) as postings
from payments.entry, unnest(accounts, amounts) as u (account, amount) group by 1, 2 order by 1, 2
"""


class Law(NamedTuple):
    """An invariant, as a statement that answers `checked` and `violations`."""

    name: str
    statement: str


class Finding(Struct, frozen=True):
    """What the audit found of a law: the rows it was checked on, and how many broke it."""

    law: str
    checked: int
    violations: int


def laws() -> list[Law]:
    """Read the laws."""
    return [Law(name, text) for name, text in _named("laws.sql")]


def breaks() -> dict[str, str]:
    """Read for each law the statement that breaks it, which the audit must notice."""
    return dict(_named("breaks.sql"))


def _named(file: str) -> list[tuple[str, str]]:
    _, *parts = _HEADING.split((_HERE / file).read_text())
    return [(name.strip(), text.strip()) for name, text in zip(parts[::2], parts[1::2], strict=True)]


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
    """Check one law."""
    row = await db.fetchrow(law.statement)
    assert row is not None
    return Finding(law.name, row["checked"], row["violations"])


async def prove(owner: asyncpg.Connection) -> list[Finding]:
    """Break each law in a transaction that is rolled back; `violations` is what the audit noticed, 0 where it
    noticed nothing. Constraints that would refuse the damage are lifted inside that transaction."""
    broken = breaks()
    findings: list[Finding] = []
    for law in laws():
        damage = owner.transaction()
        await damage.start()
        try:
            await owner.execute("set local session_replication_role = replica")
            await owner.execute("set local lock_timeout = '5s'")
            before = await check(owner, law)
            await owner.execute(broken[law.name])
            after = await check(owner, law)
            findings.append(Finding(law.name, after.checked, after.violations - before.violations))
        finally:
            await damage.rollback()
    return findings
