"""What operators change is in the audit log: before it is tried, how it was and how it is, and for good."""

from urllib.parse import unquote

import asyncpg
import pytest
from both_ways import WAYS, reached

from mercat.auditlog import API, DOCUMENT_MAX, AuditLog, NewEntry
from mercat.ids import UserId
from mercat.web.routes import PREFIX

OLGA, OTTO = UserId(11), UserId(12)
PAUSE = NewEntry(user_id=OLGA, who="olga@example.com", what="pause", subject="/goods/1", before='{"on":true}')


@pytest.fixture(params=WAYS)
async def log(request, pool):
    async with reached(request.param, AuditLog, API, AuditLog(await pool("auditlog"))) as log:
        yield log


async def test_a_change_is_there_before_it_is_tried_and_how_it_ended_afterwards(log):
    entry_id = await log.begin(PAUSE)
    [entry] = (await log.newest()).entries
    assert (entry.what, entry.before, entry.after, entry.status) == ("pause", '{"on":true}', "", None)
    await log.finish(entry_id, 200, '{"on":false}')
    await log.finish(entry_id, 500, "")
    [entry] = (await log.newest()).entries
    assert (entry.after, entry.status) == ('{"on":false}', 200)


async def test_nobody_changes_what_is_written(log, db):
    await log.finish(await log.begin(PAUSE), 200, "")
    for statement in (
        "update auditlog.entry set who = 'nobody'",
        "delete from auditlog.outcome",
        "delete from auditlog.entry",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await db.execute(statement)


async def test_it_is_found_by_who_what_and_thing_page_by_page(log):
    for n in range(5):
        await log.begin(PAUSE)
        await log.begin(
            NewEntry(user_id=OTTO, who="otto@example.com", what="hide", subject=f"/goods/{n}", asked="x" * n)
        )
    assert len((await log.newest(who="otto@example.com")).entries) == 5
    assert len((await log.newest(what="pause", limit=100)).entries) == 5
    assert len((await log.newest(subject="/goods/1")).entries) == 6
    seen, cursor = [], None
    while True:
        page = await log.newest(before=cursor, limit=3)
        seen += [entry.entry_id for entry in page.entries]
        if (cursor := page.next_cursor) is None:
            break
    assert (len(seen), seen) == (10, sorted(set(seen), reverse=True))


async def test_a_document_that_is_too_long_is_left_out(log):
    await log.begin(NewEntry(user_id=OLGA, who="o", what="w", subject="s", before="x" * (DOCUMENT_MAX + 1)))
    [entry] = (await log.newest()).entries
    assert entry.before == ""


async def test_a_form_of_the_desk_is_logged_without_its_secrets(people):
    path = "/operator/search/new?kind=synonym"
    page = (await people.operator.get(path)).text
    action = page.split('<form class="stack read" action="')[1].split('"')[0]
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": csrf, "kind": "synonym", "words": "mug", "other": "cup"}
    said = await people.operator.post(action, data=form)
    assert said.status_code == 303, said.text
    [entry] = (await people.operator.get(f"{PREFIX}/operator/audit-log")).json()["entries"]
    assert (entry["status"], entry["asked"]["words"]) == (303, "mug")
    assert "csrf" not in entry["asked"]
    table = (await people.operator.get("/operator/audit-log")).text
    assert "olga@example.com" in table
    assert "mug" in table


@pytest.mark.parametrize("name", ["promo_0%0D%0A1", "promo_0%3F1", "promo_0%231", "promo_0%091"])
async def test_an_odd_address_is_written_down_whole(people, name, capfd):
    said = await people.operator.post(f"{PREFIX}/operator/promotions/{name}/codes", json={"count": 1})
    assert said.status_code == 404, said.text
    [entry] = (await people.operator.get(f"{PREFIX}/operator/audit-log")).json()["entries"]
    assert entry["subject"] == f"/operator/promotions/{unquote(name)}"
    assert "a request failed" not in capfd.readouterr().err


async def test_what_a_shopper_or_seller_does_is_not_in_it(people):
    await people.seller.patch(f"{PREFIX}/seller/offers/off_0000000000001", json={"price": 1})
    await people.shopper.post(f"{PREFIX}/search/rules", json={})
    assert (await people.operator.get(f"{PREFIX}/operator/audit-log")).json()["entries"] == []
