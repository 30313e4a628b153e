"""What an engine of analytics promises, whatever it is: facts once each, with their position."""

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest
from fact_engines import engine as engine
from fact_engines import facts as facts

from mercat.analytics import reports
from mercat.analytics.engine import Batch, Fact, LookRow, ProductNamed
from mercat.analytics.engines.duckdb import FILE, DuckDbEngine
from mercat.analytics.messages import ReportAsk
from mercat.ids import SellerId

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def sold(order: int, line: int = 0, **more) -> Fact:
    whole = {
        "kind": "sold",
        "source": order,
        "line": order * 10 + line,
        "happened": NOON,
        "order_id": order,
        "seller": 1,
        "product": 2,
        "offer": 3,
        "category": "tea",
        "country": "US",
        "channel": "web",
        "buyer": 4,
        "units": 1,
        "gross": 500,
        "first": int(not line),
        "first_seller": int(not line),
    }
    return Fact(**(whole | more))


def look(batch: int, number: int) -> LookRow:
    return LookRow(
        batch=batch,
        number=number,
        happened=NOON,
        what="view",
        visitor=7,
        device="phone",
        product=2,
        words="",
        found=0,
        shown=[1, 2],
    )


def gross(engine) -> int:
    [all_of_it] = [row for row in engine.ask("days", {"every": True, "days": []}) if row["seller_id"] == 0]
    return all_of_it["gross"]


def test_an_engine_that_is_new_has_no_position(engine):
    assert engine.position() is None


def test_facts_that_come_twice_or_late_count_once(engine):
    first, second = sold(1), sold(2)
    assert engine.append(Batch([second]), 10) == {date(2026, 11, 29)}
    assert engine.append(Batch([second, first, first]), 11) == {date(2026, 11, 29)}
    assert engine.append(Batch([first, second]), 12) == set()
    assert gross(engine) == 1_000
    assert engine.position() == 12


def test_a_batch_that_breaks_leaves_neither_facts_nor_a_position(engine):
    engine.append(Batch([sold(1)]), 10)
    wrong = msgspec.structs.replace(look(1, 0), device=None)
    with pytest.raises(Exception, match=r"NOT NULL|null"):
        engine.append(Batch([sold(2)], looks=[wrong]), 11)
    assert (gross(engine), engine.position()) == (500, 10)
    engine.append(Batch([sold(2)]), 11)
    assert gross(engine) == 1_000


def test_facts_and_their_position_outlive_the_process(facts):
    first = facts.open()
    first.append(
        Batch(
            [sold(1)],
            [ProductNamed(product=2, title="Tea", category="tea", category_name="Tea")],
            [look(5, 0), look(5, 1)],
        ),
        10,
    )
    first.close()
    second = facts.open()
    assert second.position() == 10
    assert gross(second) == 500
    assert second.append(Batch(looks=[look(5, 0), look(5, 1)]), 11) == set()
    assert second.ask("product_names", {"products": [2]})[0]["title"] == "Tea"
    second.close()


def test_readers_see_the_old_facts_until_the_new_ones_are_whole(engine):
    engine.append(Batch([sold(1)]), 10)
    engine.start_anew()
    engine.add(Batch([sold(3), sold(4), sold(5)]))
    assert gross(engine) == 500
    engine.finish(20)
    assert (gross(engine), engine.position()) == (1_500, 20)
    engine.start_anew()
    engine.give_up()
    assert gross(engine) == 1_500


def noted(batch: int, number: int, minutes: int, what: str, **more) -> LookRow:
    at = NOON + timedelta(minutes=minutes)
    whole = {"batch": batch, "number": number, "happened": at, "what": what, "visitor": 7, "device": "phone"}
    return LookRow(**{**whole, "product": 0, "words": "", "found": 0, "shown": [], **more})


def searches(engine) -> list[tuple]:
    ask = ReportAsk(name="searches", since=date(2026, 11, 1), until=date(2026, 12, 2))
    made = reports.make(engine, ask, NOON + timedelta(days=3))
    columns = ("words", "searches", "visitors", "no_result", "clicks", "bought", "position")
    return [tuple(row[each] for each in columns) for row in made.rows]


def test_a_day_of_searches_that_is_written_down_answers_as_before_and_late_looks_are_taken_in(engine):
    told = [
        noted(1, 0, 0, "search", words="cup", found=2, shown=[5, 6]),
        noted(1, 1, 1, "view", product=6),
        noted(1, 2, 2, "order", product=6),
        noted(1, 3, 3, "search", words="carpet"),
        noted(1, 4, 90, "search", words="cup", found=2, shown=[6, 5]),
        noted(1, 5, 60 * 24, "search", words="cup", found=2, shown=[6, 5], visitor=8),
    ]
    engine.append(Batch(looks=told), 1)
    before = [("cup", 3, 2, 0, 1, 1, 2.0), ("carpet", 1, 1, 1, 0, 0, None)]
    assert searches(engine) == before
    engine.settle(date(2026, 11, 30))
    assert searches(engine) == before
    engine.settle(date(2026, 12, 1))
    engine.settle(date(2026, 12, 1))
    assert searches(engine) == before

    late = [noted(2, 0, 91, "view", product=6)]
    engine.append(Batch(looks=late), 2)
    after = [("cup", 3, 2, 0, 2, 2, 1.5), ("carpet", 1, 1, 1, 0, 0, None)]
    assert searches(engine) == after
    engine.append(Batch(looks=late), 3)
    engine.settle(date(2026, 12, 1))
    assert searches(engine) == after


def test_looks_are_forgotten_and_what_was_sold_is_not(engine):
    looks = [noted(1, 0, 0, "search", words="cup", found=1, shown=[5])]
    engine.append(Batch([sold(1)], looks=looks), 1)
    engine.settle(date(2026, 12, 1))
    engine.forget_looks(date(2026, 11, 29))
    assert searches(engine) != []
    engine.forget_looks(date(2026, 11, 30))
    assert searches(engine) == []
    assert gross(engine) == 500


def test_a_question_may_have_as_many_members_as_a_report_has_rows(engine):
    tea = ProductNamed(product=2**60, title="Tea", category="tea", category_name="Tea's \\ own\ttab")
    engine.append(Batch(products=[tea]), 1)
    named = engine.ask("product_names", {"products": [*range(2**60 - 9_999, 2**60 + 1)]})
    assert [row["title"] for row in named] == ["Tea"]
    asked = {"categories": [*(f"it's \\ {each} \t\n" for each in range(2_000)), "tea"]}
    assert [row["category_name"] for row in engine.ask("category_names", asked)] == [tea.category_name]


def report(engine, name, **asked) -> tuple[list, dict]:
    made = reports.make(engine, ReportAsk(name=name, **asked), NOON + timedelta(days=9))
    return made.rows, made.totals


def test_settled_days_add_up_to_what_their_searches_are_in_any_time_zone(engine):
    chance = Random(5)
    products = [
        ProductNamed(product=each, title="", category="", category_name="", seller=each % 3, version=1)
        for each in range(9)
    ]
    looks = []
    for number in range(600):
        minutes = chance.randrange(3 * 1_440)
        who = minutes // 1_440 * 1_000 + chance.randrange(30)  # somebody else each day
        at = NOON - timedelta(hours=12) + timedelta(minutes=minutes, milliseconds=number)
        more = {"visitor": who, "happened": at}
        if what := chance.choice(["view", "order", ""]):
            looks.append(noted(number, 0, 0, what, product=chance.randrange(9), **more))
        shown = chance.sample(range(9), chance.choice([0, 4]))
        told = {"words": chance.choice(["cup", "carpet", "lamp"]), "found": len(shown), "shown": shown}
        looks.append(noted(number, 1, 0, "search", **told, **more))
    engine.append(Batch(products=products, looks=looks), 1)
    asked = [
        {"by": by, "tz": tz, "seller_id": seller, "since": date(2026, 11, 29), "until": date(2026, 12, 1)}
        for by, tz, seller in [
            (None, "America/New_York", None),
            (None, "America/New_York", SellerId(1)),
            ("day", "America/New_York", None),
            ("hour", "Asia/Kathmandu", None),
        ]
    ]
    before = [report(engine, "searches", **each) for each in asked]
    engine.settle(date(2026, 12, 1))  # the last day is not over
    assert [report(engine, "searches", **each) for each in asked] == before
    assert before[0][1]["clicks"] > 20


CHANGES = [
    ("Europe/Berlin", date(2026, 10, 25), 25, ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]),
    ("America/New_York", date(2026, 3, 8), 23, ["2026-03-08T01:00-05:00", "2026-03-08T03:00-04:00"]),
    ("Australia/Lord_Howe", date(2026, 4, 5), 25, ["2026-04-05T01:00+11:00", "2026-04-05T01:00+10:30"]),
    ("Asia/Kathmandu", date(2026, 11, 3), 24, ["2026-11-03T02:00+05:45"]),
]
"""Days on which clocks are changed, how many rows they have, and two that follow each other. On Lord Howe
clocks go by half an hour."""


def test_a_day_on_which_clocks_change_has_its_own_number_of_hours(engine):
    for tz, day, hours, _ in CHANGES:
        began = datetime.combine(day, time(), ZoneInfo(tz)).astimezone(UTC)
        moments = [began + timedelta(minutes=30 * number + 14, seconds=59) for number in range(2 * hours)]
        numbered = [(day.toordinal() * 100 + number, at) for number, at in enumerate(moments)]
        orders = [sold(number, happened=at) for number, at in numbered]
        looks = [noted(n, 0, 0, "search", visitor=n, happened=at, words="cup") for n, at in numbered]
        engine.append(Batch(orders, looks=looks), 1)
    engine.settle(date(2026, 11, 1))  # one of them is not settled
    for tz, day, hours, following in CHANGES:
        asked = {"by": "hour", "tz": tz, "since": day, "until": day + timedelta(days=1)}
        for name, column in [("sales", "orders"), ("searches", "visitors"), ("funnel", "visits")]:
            rows, _ = report(engine, name, **asked)
            assert len({row["hour"] for row in rows}) == len(rows) == hours
            at = [row["hour"] for row in rows].index(following[0])
            assert [row["hour"] for row in rows[at : at + len(following)]] == following
            assert [row[column] for row in rows] == [
                1 if row["hour"].endswith("01:00+10:30") else 2 for row in rows
            ]


def test_what_is_sold_in_the_last_minutes_of_a_day_is_sold_on_that_day(engine):
    engine.append(Batch([sold(1, happened=datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC))]), 1)
    rows, _ = report(engine, "sales", by="day", since=date(2026, 11, 28), until=date(2026, 12, 1))
    assert [row["orders"] for row in rows] == [0, 1, 0]


def test_a_file_of_the_release_before_is_mended_when_it_is_opened(tmp_path):
    """Moments were counted to the nearest quarter of an hour; sums of searches there were none."""
    engine = DuckDbEngine(tmp_path / FILE, 256)
    late = datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC)
    engine.append(Batch([sold(1, happened=late)], looks=[noted(1, 0, 0, "search", words="cup")]), 1)
    engine._db.execute("update fact set quarter = quarter + 1; drop table search_words; drop table summed")
    engine._db.execute("create table settled (day date); insert into settled values (date '2026-11-29')")
    engine.close()
    engine = DuckDbEngine(tmp_path / FILE, 256)
    engine.settle(date(2026, 12, 1))
    days, _ = report(engine, "sales", by="day", since=date(2026, 11, 28), until=date(2026, 12, 1))
    assert [row["orders"] for row in days] == [0, 1, 0]
    assert searches(engine) == [("cup", 1, 1, 1, 0, 0, None)]
    engine.close()
