"""An import of generated products, again without changes, beside `COPY` of the same lines."""

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

from mercat.embedded import Connection
from mercat.lab.bench.report import Report
from mercat.lab.bench.shop import audited, opened

_PRODUCTS = 40_000


async def importing(seconds: float) -> Report:
    """`mercat import` of 40,000 generated products into an empty shop, beside COPY of the same lines into one
    column of one table; again, when nothing changes; and a file of new
    prices by SKU. `seconds` does not matter here."""
    with tempfile.TemporaryDirectory(prefix="mercat-bench-") as folder:
        file = Path(folder, "products.jsonl")
        mercat("generate", "--products", str(_PRODUCTS), "--out", str(file))
        async with opened() as shop:
            floor = await _copied(shop, file)
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            first = mercat("import", str(file), "--data", shop.data)
            peak = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
            again = mercat("import", str(file), "--data", shop.data)
            prices = Path(folder, "prices.csv")
            rows = _new_prices(file, prices)
            update = mercat("import", str(prices), "--data", shop.data)
            findings = await audited(shop)
    return Report(
        name="import",
        rate_per_s=_PRODUCTS / first,
        floor_per_s=_PRODUCTS / floor,
        ratio=floor / first,
        p50_ms=first * 1_000,
        p99_ms=first * 1_000,
        audit_violations=sum(finding.violations for finding in findings),
        more={
            "seconds": round(first, 2),
            "seconds_again": round(again, 2),
            "updates_per_s": round(rows / update),
            "peak_mb": round(peak / 1_024, 1),
        },
    )


def _new_prices(products: Path, file: Path) -> int:
    """Write another price for each SKU of the products; answer how many."""
    rows = 0
    with products.open() as lines, file.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["seller", "sku", "price"])
        for product in map(json.loads, lines):
            for each in product["variants"]:
                if each.get("sku"):
                    table.writerow([product["seller"], each["sku"], f"{each['price'] / 100 + 1:.2f}"])
                    rows += 1
    return rows


def mercat(*arguments: str) -> float:
    """Run a command and return how many seconds it took."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "mercat", *arguments]
    subprocess.run(command, check=True, env=dict(os.environ), stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


async def _copied(shop: Connection, file: Path) -> float:
    owner = await asyncpg.connect(**shop.postgres())
    await owner.execute("create table public.floor (line jsonb)")
    began = time.perf_counter()
    with file.open() as lines:
        await owner.copy_records_to_table(
            "floor", schema_name="public", records=((json.dumps(json.loads(line)),) for line in lines)
        )
    took = time.perf_counter() - began
    await owner.execute("drop table public.floor")
    await owner.close()
    return took
