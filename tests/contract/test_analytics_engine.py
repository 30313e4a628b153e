"""What an engine of analytics promises, whatever it is: facts once each, with their position."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from fact_engines import engine as engine
from fact_engines import facts as facts

from mercat.analytics import reports
from mercat.analytics.engine import Batch, Fact, LookRow, ProductNamed
from mercat.analytics.messages import ReportAsk

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
