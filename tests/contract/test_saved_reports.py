"""Reports that are saved and mailed each week: once, to who may see them, in their own time zone."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from contract.test_reports import people_of, today
from house import opened as opened
from journeys.people import until
from one_scene import one_scene

from mercat import ids
from mercat.analytics import NewView, periods
from mercat.analytics.service import TooManyViews
from mercat.events import AccountErased

VIEW = {"name": "What was sold", "report": "sales", "tz": "Europe/Berlin"}


@pytest.fixture
async def sales(opened):
    async with people_of(opened) as sales:
        yield sales


async def letters(sales, kind: str) -> list[Any]:
    await sales.house.shop.notifications.notices.write_due()
    return [each for each in await sales.house.shop.notifications.mailbox() if each.kind == kind]


async def make_due(db) -> None:
    await db.execute("update analytics.saved_view set next_at = now() - interval '1 minute'")


async def test_a_report_is_saved_listed_and_deleted_by_its_owner_alone(sales, db):
    saved = await sales.olga.api("POST", "/operator/report-views", 201, VIEW)
    assert (await sales.olga.api("GET", "/operator/report-views", 200))["views"] == [saved]
    own = await sales.bob.api("POST", "/seller/report-views", 201, VIEW | {"by": "product"})
    assert (await sales.carl.api("GET", "/seller/report-views", 200))["views"] == []
    await sales.carl.api("DELETE", f"/seller/report-views/{own['view_id']}", 404)
    assert (await sales.bob.api("GET", "/seller/report-views", 200))["views"] == [own]
    await sales.bob.api("POST", "/operator/report-views", 403, VIEW)
    for status in (200, 404):
        await sales.bob.api("DELETE", f"/seller/report-views/{own['view_id']}", status)
    assert await db.fetchval("select count(*) from analytics.saved_view") == 1


@one_scene(
    ("wrong", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"report": "sale"}, "/report"),
        ({"by": "product", "report": "funnel"}, "/by"),
        ({"tz": "Europe/Nowhere"}, "/tz"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_saved(sales, wrong, pointer):
    assert (await sales.olga.api("POST", "/operator/report-views", 422, VIEW | wrong))["pointer"] == pointer
    assert (await sales.olga.api("GET", "/operator/report-views", 200))["views"] == []


async def test_twenty_are_kept_and_asking_twice_saves_one(sales):
    analytics = sales.house.shop.analytics
    olga, new = ids.UserId(7), NewView(name="x", report="sales")
    key = ids.new(ids.ViewId)
    assert await analytics.save_view(olga, None, new, key) == await analytics.save_view(olga, None, new, key)
    found = await asyncio.gather(
        *(analytics.save_view(olga, None, new) for _ in range(25)), return_exceptions=True
    )
    assert all(isinstance(each, TooManyViews) for each in found if isinstance(each, Exception))
    while len(await analytics.views(olga, None)) < 20:
        await analytics.save_view(olga, None, new)
    with pytest.raises(TooManyViews):
        await analytics.save_view(olga, None, new)


async def test_a_week_is_mailed_once_with_its_sums_however_often_it_is_told(sales, db):
    order = await sales.buys(Bob=2, Carl=1)
    await sales.counted(orders=1)
    await sales.olga.api("POST", "/operator/report-views", 201, VIEW)
    await sales.bob.api("POST", "/seller/report-views", 201, VIEW)
    keeper: Any = sales.house.shop.analytics.keeper
    monday = periods.monday_of(datetime.now(UTC), ZoneInfo("Europe/Berlin"))
    await make_due(db)
    await asyncio.gather(keeper.tell_weeks(), keeper.tell_weeks(), keeper.tell_weeks())
    await keeper.tell_weeks()

    async def both():
        shop = await letters(sales, "weekly_report_of_shop")
        own = await letters(sales, "weekly_report")
        return len(shop) == len(own) == 1

    await until(both, 20)
    # The process died before it knew that it had told: the same week comes again.
    await make_due(db)
    await keeper.tell_weeks()
    told = "select count(*) from events.log where body::text like '%ReportWeekOver%'"

    async def again():
        return await db.fetchval(told) == 4

    await until(again, 20)
    [letter] = await letters(sales, "weekly_report_of_shop")
    [own] = await letters(sales, "weekly_report")
    assert (letter.recipient, own.recipient) == ("olga@example.com", "bob@example.com")
    assert letter.subject.startswith("What was sold: the week from Monday,")
    assert f"/operator/reports/sales?from={monday - timedelta(days=7)}&to={monday}" in letter.body
    assert "/desk/reports/sales" in own.body
    assert "Orders: 0 (before: 0)" in letter.body, f"{order['order_id']} is of this week"
    assert "/unsubscribe/" in letter.body


async def test_a_report_that_cannot_be_made_keeps_no_other_waiting(sales, db):
    """A zone may be gone from the calendar's list after an update."""
    await sales.olga.api("POST", "/operator/report-views", 201, VIEW)
    await sales.bob.api("POST", "/seller/report-views", 201, VIEW)
    await make_due(db)
    await db.execute(
        "update analytics.saved_view set tz = 'Atlantis/Capital', next_at = next_at - interval '1 day' "
        "where seller_id is null"
    )
    await sales.house.shop.analytics.keeper.tell_weeks()
    due = "select count(*) from analytics.saved_view where next_at <= now()"
    assert await db.fetchval(due) == 0

    async def told():
        return len(await letters(sales, "weekly_report")) == 1

    await until(told, 20)


async def test_who_does_not_run_the_shop_any_more_gets_no_report_of_it(sales, db):
    await sales.olga.api("POST", "/operator/report-views", 201, VIEW)
    await sales.house.shop.accounts.set_operator("bob@example.com", given=True)
    await sales.house.shop.accounts.set_operator("olga@example.com", given=False)
    await make_due(db)
    await sales.house.shop.analytics.keeper.tell_weeks()
    told = "select count(*) from events.log where body::text like '%ReportWeekOver%'"

    async def is_told():
        return await db.fetchval(told) == 1

    await until(is_told, 20)

    async def drained():
        standing = await sales.house.shop.host.standing("notifications")
        return standing.oldest is None

    await until(drained, 20)
    assert await letters(sales, "weekly_report_of_shop") == []


async def test_who_is_forgotten_has_no_saved_reports(sales, db):
    await sales.olga.api("POST", "/operator/report-views", 201, VIEW)
    user_id = await db.fetchval("select user_id from analytics.saved_view")
    erased = AccountErased(user_id=ids.UserId(user_id), people=[ids.UserId(user_id)])
    for _ in range(2):
        await sales.house.shop.analytics.keeper.follow([(1, erased)])
    assert await db.fetchval("select count(*) from analytics.saved_view") == 0


@pytest.mark.parametrize(
    ("now", "zone", "said"),
    [
        (datetime(2026, 11, 30, 5, 59, tzinfo=UTC), "Europe/Berlin", datetime(2026, 11, 30, 6, tzinfo=UTC)),
        (datetime(2026, 11, 30, 6, tzinfo=UTC), "Europe/Berlin", datetime(2026, 12, 7, 6, tzinfo=UTC)),
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "Europe/Berlin", datetime(2026, 3, 30, 5, tzinfo=UTC)),
        (datetime(2026, 11, 29, 12, tzinfo=UTC), "Pacific/Auckland", datetime(2026, 11, 29, 18, tzinfo=UTC)),
    ],
)
def test_letters_come_on_monday_at_seven_where_their_reader_is(now, zone, said):
    assert periods.next_letter(now, ZoneInfo(zone)) == said
    assert periods.monday_of(said, ZoneInfo(zone)).weekday() == date(2026, 11, 30).weekday()


async def test_a_report_is_saved_and_deleted_below_it(sales):
    for who, path in ((sales.olga, "/operator/reports"), (sales.bob, "/desk/reports")):
        page = f"{path}/sales?by=week&tz=Europe%2FBerlin&from={today()}"
        shown = await who.send(page, f"{path}/sales/views", name="By week")
        assert "By week" in shown
        assert "(sales by week" in shown
        assert '<option value="week" selected>' in shown, "the report is as it was asked for"
        assert f'value="{today()}"' in shown
        api = "/operator/report-views" if who is sales.olga else "/seller/report-views"
        [view] = (await who.api("GET", api, 200))["views"]
        assert view["tz"] == "Europe/Berlin"
        assert "Nothing yet" in await who.send(
            f"{path}/sales", f"{path}/sales/views/{view['view_id']}/delete"
        )


async def test_a_name_that_does_not_fit_is_said_below_the_report_that_was_asked_for(sales):
    page = f"/operator/reports/orders?by=week&from={today()}"
    shown = await sales.olga.send(page, "/operator/reports/orders/views", 422, name="x" * 81)
    assert "At most 80 characters." in shown
    assert "x" * 81 in shown
    assert '<option value="week" selected>' in shown
    for n in range(20):
        await sales.olga.api("POST", "/operator/report-views", 201, VIEW | {"name": f"View {n}"})
    shown = await sales.olga.send(page, "/operator/reports/orders/views", 409, name="One more")
    assert "Delete one first" in shown
    assert 'value="One more"' in shown
