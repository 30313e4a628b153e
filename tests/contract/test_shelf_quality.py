"""How good shelves are: measured by the shop's own code on orders of the past, here on a small part."""

import gzip
import json
import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mercat.lab import shelf_quality

SHARED = Path(__file__).parents[3] / "shared" / "data"


def quiet(what: str, done: int, total: int) -> None:
    assert 0 <= done <= total, what


def write(folder: Path, sales: list[dict]) -> None:
    with gzip.open(folder / "old-orders.jsonl.gz", "wt") as handle:
        handle.writelines(json.dumps(each) + "\n" for each in sales)
    names = [{"stock_code": f"1000{n}", "description": f"Thing number{n % 5}"} for n in range(10)]
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, names)))


def sale(number: int, day: int, *products: int, customer: int | None = None, **more) -> dict:
    at = datetime(2020, 1, 1) + timedelta(days=day, minutes=number)
    lines = [[f"1000{each}", 1, 100] for each in products]
    return {"invoice": str(number), "ts": at.isoformat(), "customer": customer, "lines": lines, **more}


async def test_what_always_goes_together_is_found_and_measured_so(pool, tmp_path):
    chance = random.Random(3)
    pairs = [(0, 1), (2, 3), (4, 5), (6, 7)]
    sales = [sale(n, n // 10, *chance.choice(pairs), customer=n % 7) for n in range(1, 400)]
    write(tmp_path, sales)
    split = shelf_quality.read(tmp_path, datetime(2020, 2, 1))
    assert (len(split.taught), len(split.tasks)) == (309, 90)
    report = await shelf_quality.evaluate(split, await pool("recommendations"), quiet)
    mercat = report["steps"]["mercat"]
    assert (mercat["hit@10"], mercat["ndcg@10"]) == (1.0, 1.0)
    assert report["steps"]["popularity"]["ndcg@10"] < 0.9
    assert report["steps"]["co-occurrence"]["hit@10"] == 1.0
    assert 0 < mercat["coverage"] <= 1
    assert 0 < mercat["diversity"] < 1
    assert report["answer_p50_ms"] > 0
    assert set(report["cpu_ms"]) > {"bought together", "for you"}
    assert max(report["cpu_ms"].values()) < 50


def test_what_takes_back_and_what_is_no_product_neither_teaches_nor_asks(tmp_path):
    took_back = sale(2, 0, 1, 2) | {"invoice": "C2"}
    postage = sale(3, 0, 1) | {"lines": [["POST", 1, 100], ["10001", -1, 100], ["10002", 1, 100]]}
    write(tmp_path, [sale(1, 0, 1, 2), took_back, postage, sale(4, 40, 1, 2), sale(5, 41, 3)])
    split = shelf_quality.read(tmp_path)
    assert [each.invoice for each in split.taught] == ["1", "3"]
    assert split.taught[1].codes == ["10002"]
    [task] = split.tasks
    assert sorted([*task.given, task.hidden]) == ["10001", "10002"]


def test_a_folder_without_orders_or_with_all_on_one_side_is_refused(tmp_path):
    with pytest.raises(shelf_quality.NoOrders, match="no orders"):
        shelf_quality.read(tmp_path)
    write(tmp_path, [sale(1, 0, 1, 2)])
    with pytest.raises(shelf_quality.NoOrders, match="one side"):
        shelf_quality.read(tmp_path, datetime(2021, 1, 1))


@pytest.mark.long
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here: real baskets are not measured")
async def test_on_a_part_of_real_baskets_shelves_find_more_than_plain_co_occurrence(pool):
    """A part of the learning makes all figures lower; in full `mercat recommend evaluate` measures."""
    split = shelf_quality.read(SHARED, datetime(2011, 9, 1), taught_max=1_500, tasks_max=300)
    report = await shelf_quality.evaluate(split, await pool("recommendations"), quiet)
    steps = report["steps"]
    assert steps["mercat"]["hit@10"] >= 0.25, steps
    assert steps["mercat"]["hit@10"] >= steps["co-occurrence"]["hit@10"] + 0.03, steps
    assert steps["mercat"]["ndcg@10"] > steps["co-occurrence"]["ndcg@10"] > steps["popularity"]["ndcg@10"]
    assert steps["mercat"]["coverage"] > 5 * steps["popularity"]["coverage"]
