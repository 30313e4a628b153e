"""Search over HTTP on generated products, with facets, while the index changes; beside the bare engine."""

import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from mercat.bench.load import Load, Result, request
from mercat.bench.report import Report
from mercat.bench.shop import audited, opened, staff
from mercat.catalog import ImportRow, recognise
from mercat.main import Shop

PRODUCTS = 20_000
_QUESTIONS = 5_000
_SAMPLED = 20_000
_CHANGES_PER_S = 100
_SHARE = 0.7
_INDEXED_WITHIN_S = 300.0
_FILTERS = ("", "", "", "filters[in_stock]=true", "filters[rating_min]=4", "filters[price_max]=50")


async def search(seconds: float, products: int = PRODUCTS) -> Report:
    """The best rate, the latency at 70 % of it, and what bare tantivy does with the same words on one thread
    a core: top 20, no facets, no HTTP."""
    with tempfile.TemporaryDirectory(prefix="mercat-bench-") as folder:
        file = Path(folder, "products.jsonl")
        _mercat("generate", "--products", str(products), "--out", str(file))
        lines = list(itertools.islice(file.open("rb"), _SAMPLED))
        asked = _questions([json.loads(line) for line in lines])
        async with opened() as shop:
            _mercat("import", str(file), "--data", shop.data)
            await _indexed(shop.port, products)
            async with staff(shop) as services:
                changing = asyncio.create_task(_change(services, lines))
                await _run(shop.port, asked, 1)
                best = await _run(shop.port, asked, seconds)
                steady = await Load(shop.port, itertools.cycle(_requests(asked))).run(
                    64, seconds, best.rate * _SHARE
                )
                changed = await _stopped(changing)
            findings = await audited(shop)
        questions = Path(folder, "questions.json")
        questions.write_text(json.dumps([q for q, _ in asked]))
        floor = await _bare(file, questions, folder, seconds / 2)
    return Report(
        name="search",
        rate_per_s=best.rate,
        floor_per_s=floor,
        ratio=best.rate / floor,
        p50_ms=steady.percentile(0.5),
        p99_ms=steady.percentile(0.99),
        audit_violations=sum(finding.violations for finding in findings),
        more={
            "products": products,
            "p99_ms_at_full_load": round(best.percentile(0.99), 2),
            "changed_per_s": round(changed / (2 * seconds + 1), 1),
            "statuses": {str(status): count for status, count in (best.statuses + steady.statuses).items()},
        },
    )


def _questions(products: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Words and a filter, as shoppers ask: kinds, brands with a kind, words of titles; a few asked most often
    (Zipf)."""
    chance = random.Random(7)
    different: dict[str, None] = {}
    while len(different) < _QUESTIONS:
        product = chance.choice(products)
        tags = product["tags"] or product["category_path"][-1:]
        words = [word for word in product["title"].replace(",", " ").split() if len(word) > 2]
        kind = chance.choice(tags)
        made = (kind, f"{product['brand']} {kind}", f"{chance.choice(words)} {kind}", " ".join(words[-2:]))
        different[chance.choice(made).lower()] = None
        if len(different) < 50 and len(products) < 50:
            break
    every = list(different)
    weights = [1 / rank for rank in range(1, len(every) + 1)]
    return [(words, chance.choice(_FILTERS)) for words in chance.choices(every, weights, k=4 * _QUESTIONS)]


def _requests(asked: list[tuple[str, str]]) -> list[bytes]:
    return [
        request("GET", f"/api/v1/search?{urlencode({'q': words})}{'&' if narrowed else ''}{narrowed}")
        for words, narrowed in asked
    ]


async def _run(port: int, asked: list[tuple[str, str]], seconds: float) -> Result:
    return await Load(port, itertools.cycle(_requests(asked))).run(16, seconds)


async def _indexed(port: int, products: int) -> None:
    """Waits until all products are found."""
    async with (
        asyncio.timeout(_INDEXED_WITHIN_S),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as http,
    ):
        while (await http.get("/search")).json()["total"] < products:
            await asyncio.sleep(0.2)


async def _change(shop: Shop, lines: list[bytes]) -> int:
    """New prices, a tenth of a second's worth at a time, through the catalogue and the log; how many, once
    it is cancelled."""
    per = _CHANGES_PER_S // 5
    changed = 0
    try:
        for batch in _batches(lines, per):
            wait = asyncio.create_task(asyncio.sleep(0.2))
            by_seller: dict[str, list[ImportRow]] = {}
            for line in batch:
                raw = json.loads(line)
                for variant in raw["variants"]:
                    variant["price"] += 1
                by_seller.setdefault(raw["seller"], []).append(recognise([raw]).read(raw))
            for name, rows in by_seller.items():
                seller_id = await shop.sellers.by_name(name)
                await shop.catalog.take(rows, seller_id, name, 0, _received)
            changed += per
            await wait
    except asyncio.CancelledError:
        pass
    return changed


async def _received(*_: Any) -> None:
    return


def _batches(lines: list[bytes], size: int) -> Iterator[list[bytes]]:
    endless = itertools.cycle(lines)
    while True:
        yield list(itertools.islice(endless, size))


async def _stopped(changing: "asyncio.Task[int]") -> int:
    if changing.done():
        return changing.result()
    changing.cancel()
    return await changing


async def _bare(file: Path, questions: Path, folder: str, seconds: float) -> float:
    """The bare engine on as many threads as there are cores, in processes of their own."""
    index = str(Path(folder, "bare"))
    command = [sys.executable, "-m", "mercat.bench.bare"]
    await asyncio.to_thread(subprocess.run, [*command, "build", str(file), index], check=True)
    runs = [
        await asyncio.create_subprocess_exec(
            *command, "ask", str(questions), index, str(seconds), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(os.cpu_count() or 1)
    ]
    return sum([float((await run.communicate())[0]) for run in runs])


def _mercat(*arguments: str) -> None:
    command = [sys.executable, "-m", "mercat.cli", *arguments]
    subprocess.run(command, check=True, env=dict(os.environ), stdout=subprocess.DEVNULL)
