"""What shoppers have searched for, as suggestions for others."""

import asyncio
import time
from datetime import date

import pytest
from search_products import product, put

from mercat.search import Search, SearchQuery, query_log
from mercat.search.query_log import QueryLog, loggable, weight


@pytest.fixture
async def search(tmp_path, pool):
    put(
        tmp_path,
        [product(n, f"Green tea {n}") for n in range(1, 9)]
        + [product(50, "Grey kettle", brand="Green & Co")],
    )
    search = Search(tmp_path, db=await pool("search"))
    yield search
    await search.close()


@pytest.fixture
async def asked(pool):
    return QueryLog(await pool("search"))


async def test_a_question_is_suggested_once_it_was_asked_for_three_times(search, asked):
    for times in (1, 2, 3):
        await search.find(SearchQuery(q=" Green  TEA!"))
        await search._query_log.write()
        await asked.read()
        assert asked.starting_with("gr", 5) == (["green tea"] if times == 3 else [])
    assert asked.starting_with("Green t", 5) == ["green tea"]
    assert asked.starting_with("tea", 5) == asked.starting_with("", 5) == []
    async with asyncio.timeout(5):
        while not (await search.suggest("gree")).queries:
            search._query_log._read_at = float("-inf")
            await asyncio.sleep(0.02)
    suggested = await search.suggest("gree")
    assert (suggested.queries, suggested.brands) == (["green tea"], ["Green & Co"])


async def test_only_whole_success_is_counted(search, db):
    for query in (
        SearchQuery(q="green submarine"),
        SearchQuery(q="submarine"),
        SearchQuery(q="gren tea"),
        SearchQuery(q="green tea", page=2, limit=2),
        SearchQuery(q="green tea", brand=["Nobody"]),
        SearchQuery(),
    ):
        await search.find(query)
    await search._query_log.write()
    assert await db.fetch("select words from search.asked") == []


@pytest.mark.parametrize(
    ("q", "kept"),
    [
        ("  Green TEA!", "green tea"),
        ("café crème", "cafe creme"),
        ("ann@example.com", ""),
        ("call 4711999", ""),
        ("iphone 12", "iphone 12"),
        ("x", ""),
        ("a b c d e f g", ""),
        ("long " * 5 + "w" * 39, ""),
    ],
)
def test_what_is_kept_of_a_question(q, kept):
    assert loggable(q) == kept


async def test_the_table_keeps_what_is_asked_for_most(asked, db, monkeypatch, clock_ahead):
    monkeypatch.setattr(query_log, "KEPT_MAX", 10)
    for n in range(15):
        for _ in range(n + 1):
            asked.note(f"question {n:02}")
    asked._forgot_at = time.monotonic()
    await asked.write()
    assert await db.fetchval("select count(*) from search.asked") == 15
    clock_ahead(120 * 86_400)
    asked.note("question new")
    asked._forgot_at = float("-inf")
    await asked.write()
    kept = [row["words"] for row in await db.fetch("select words from search.asked order by weight desc")]
    assert len(kept) == 10
    assert kept[:2] == ["question new", "question 14"], (
        "four months later one asking outweighs fifteen old ones"
    )


def test_weights_last_for_long():
    assert weight(date(2026, 1, 31)) == 2 * weight(date(2026, 1, 1))
    assert weight(date(2090, 1, 1)) < float("inf")


async def test_questions_noted_between_two_writes_are_bounded(asked, monkeypatch, db):
    monkeypatch.setattr(query_log, "_NOTED_MAX", 3)
    for n in range(9):
        asked.note(f"question {n}")
    asked.note("question 1")
    await asked.close()
    rows = await db.fetch("select words, times from search.asked order by words")
    assert [(row["words"], row["times"]) for row in rows] == [
        ("question 0", 1),
        ("question 1", 2),
        ("question 2", 1),
    ]


async def test_searches_go_on_without_the_table(search, pool):
    (await pool("search")).terminate()
    assert (await search.find(SearchQuery(q="green tea"))).total == 8
    await search._query_log.write()
    await search._query_log.read()
    assert (await search.suggest("green")).products
