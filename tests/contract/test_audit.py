"""The audit finds nothing in a sound shop, and notices every law that is broken."""

import asyncpg
import pytest

from mercat.audit import audit, prove


async def test_an_empty_shop_breaks_no_law(settings):
    reader = await asyncpg.connect(
        **settings.database(), user="mercat_audit", password=settings.secret("mercat_audit")
    )
    findings = await audit(reader)
    assert len(findings) >= 19
    assert not [finding for finding in findings if finding.violations]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute("delete from orders.orders")
    await reader.close()


async def test_every_law_is_noticed_when_it_is_broken_and_nothing_stays_broken(db):
    async with db.acquire() as owner:
        assert [finding.law for finding in await prove(owner) if not finding.violations] == []
        assert not [finding for finding in await audit(owner) if finding.violations]
