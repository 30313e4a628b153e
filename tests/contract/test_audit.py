"""The audit finds nothing in a sound shop, and notices every law that is broken."""

from typing import Any, cast

import asyncpg
import pytest

from mercat.audit import Finding, audit, files, prove
from mercat.audit.audit import _rolled_back, breaks, laws
from mercat.audit.mirrors import mirrors, names_in, reads_orders
from mercat.cli import books
from mercat.migrations import SCHEMAS

SERVICES = {*SCHEMAS, "events"} - {"orders"}


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


def test_a_law_reads_tables_of_orders_alone_or_what_they_say_in_mirrors():
    of_all = {"one order a cart"}  # which no other service knows of
    one_way = {"every seller's part of an order has its invoice", "an order of a flash sale has its pass"}
    for law in laws():
        others = [name for name in SERVICES if f" {name}." in law.text]
        if reads_orders(law.text):
            assert [*others, *names_in(law.text)] == [], law.name
        if names_in(law.text):
            assert others or law.name in of_all, law.name
            assert len(breaks(law.name)) == 2 or law.name in of_all | one_way, law.name
    for mirror in mirrors().values():
        assert (reads_orders(mirror.orders), reads_orders(mirror.elsewhere)) == (True, False), mirror.name
        assert not [name for name in SERVICES if f" {name}." in mirror.orders], mirror.name


async def test_what_is_sold_meanwhile_is_not_counted_for_damage(db):
    counted = "select count(*) from reviews.formerly"
    async with db.acquire() as owner, db.acquire() as shop, _rolled_back([owner]):
        before = await owner.fetchval(counted)
        await shop.execute("insert into reviews.formerly (guest_id, user_id) values (1, 2)")
        assert await owner.fetchval(counted) == before


@pytest.mark.parametrize(("noticed", "code"), [(2, 0), (0, 1), (-1, 1)])
def test_a_law_is_missed_where_less_breaks_it_than_before(monkeypatch, noticed, code):
    async def proved(shop):
        return [Finding("a law", 5, noticed)]

    monkeypatch.setattr(books, "_prove", proved)
    assert books.audit_of(cast(Any, None), as_json=True, prove=True) == code


def test_a_comment_within_a_law_is_no_heading(monkeypatch, tmp_path):
    (tmp_path / "laws.sql").write_text(
        "-- law: one\nselect 1\n-- Source: a book\nwhere true;\n-- law: two\nselect 2;\n"
    )
    monkeypatch.setattr(files, "_HERE", tmp_path)
    assert files.named("laws.sql", "law") == [
        ("one", "select 1\n-- Source: a book\nwhere true"),
        ("two", "select 2"),
    ]
