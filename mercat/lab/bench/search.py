"""Search over HTTP on generated products, with facets, while the index changes; beside the bare engine."""

import asyncio
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx

from mercat.catalog import Columns, ImportBatch, ImportRow, recognise
from mercat.kit import codec
from mercat.lab.bench.load import Load, Result, request
from mercat.lab.bench.report import Report
from mercat.lab.bench.shop import audited, cpu_s, memory_mb, serving, staff
from mercat.search import ProductCard, engine, index_store
from mercat.shop import Shop

PRODUCTS = 20_000
_QUESTIONS = 5_000
_SAMPLED = 20_000
_CHANGES_PER_S = 100
_SHARE = 0.7
_INDEXED_WITHIN_S = 600.0
_WATCHED = 8
Done = TypeVar("Done")
_FILTERS = ("", "", "", "filters[in_stock]=true", "filters[rating_min]=4", "filters[price_max]=50")


async def search(
    seconds: float, products: int = PRODUCTS, changes: int = _CHANGES_PER_S, keep: Path | None = None
) -> Report:
    """Measure the best rate, the latency at 70 % of it, when changes are seen, and the floors.

    The floor is bare tantivy with the same words on one thread a core: top 20, and the same facets counted of
    all that is found; no HTTP, no filters. `floor_without_facets_per_s`: the same without counting. `keep`:
    where the shop stays for next time."""
    with tempfile.TemporaryDirectory(prefix="mercat-bench-") as passing:
        folder = keep or Path(passing)
        file, home, bare = (folder / f"{each}-{products}" for each in ("products", "shop", "floor"))
        lines = _made_up(file, home, products)
        asked = _questions([json.loads(line) for line in lines])
        async with serving(home) as shop:
            if not await _total(shop.port):
                _mercat("import", str(file), "--data", shop.data)
            await _indexed(shop.port, products)
            async with staff(shop) as services:
                changing = asyncio.create_task(_change(services, lines, changes))
                place = index_store(services.settings)
                reader = place.reader()
                watching = [
                    asyncio.create_task(_watch(services, reader, line, seconds, far=place.remote))
                    for line in lines[-_WATCHED:]
                ]
                await _run(shop.port, asked, seconds / 2)
                best = await _run(shop.port, asked, seconds)
                spent, before = cpu_s("mercat.cli.work web"), await _remembered(shop.port)
                steady = await Load(shop.port, itertools.cycle(_requests(asked))).run(
                    64, seconds, best.rate * _SHARE
                )
                spent, after = cpu_s("mercat.cli.work web") - spent, await _remembered(shop.port)
                seen = sorted(itertools.chain.from_iterable([await _stopped(each) for each in watching]))
                changed = await _stopped(changing)
            memory = memory_mb()
            findings = await audited(shop)
        floor, without_facets = await _floors(file, asked, bare, seconds / 2)
    answered = after[0] + after[1] - before[0] - before[1]
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
            "floor_without_facets_per_s": round(without_facets, 1),
            "p99_ms_at_full_load": round(best.percentile(0.99), 2),
            "cpu_ms_a_search": round(1_000 * spent / max(answered, 1), 3),
            "remembered": round((after[1] - before[1]) / max(answered, 1), 3),
            "changed_per_s": round(changed / (2.5 * seconds), 1),
            "seen_p50_ms": round(1_000 * seen[len(seen) // 2]) if seen else None,
            "seen_p99_ms": round(1_000 * seen[len(seen) * 99 // 100]) if seen else None,
            "changes_watched": len(seen),
            "memory_mb": memory,
            "statuses": {str(status): count for status, count in (best.statuses + steady.statuses).items()},
        },
    )


def _made_up(file: Path, home: Path, products: int) -> list[bytes]:
    """Make the folders and the products, unless they are there from last time; return some lines of them."""
    home.mkdir(parents=True, exist_ok=True)
    for path in (file.parent, home):
        path.chmod(0o755)
    if not file.exists():
        _mercat("generate", "--products", str(products), "--out", str(file))
    return list(itertools.islice(file.open("rb"), _SAMPLED))


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
    """Wait until all products are found."""
    async with (
        asyncio.timeout(_INDEXED_WITHIN_S),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as http,
    ):
        while (await http.get("/search")).json()["total"] < products:
            await asyncio.sleep(0.2)


async def _total(port: int, narrowed: str = "") -> int:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as http:
        return (await http.get(f"/search{narrowed}")).json()["total"]


async def _remembered(port: int) -> tuple[float, float]:
    """How many searches asked the index, and how many got an answer of a moment ago."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        said = (await http.get("/metrics")).text
    found = dict.fromkeys(("asked", "remembered"), 0.0)
    for how, count in re.findall(r'^mercat_searches_total\{how="(\w+)"\} (\S+)', said, re.M):
        found[how] += float(count)
    return found["asked"], found["remembered"]


async def _change(shop: Shop, lines: list[bytes], per_s: int) -> int:
    """Set new prices through the catalogue and the log until cancelled; return how many."""
    per = per_s // 5
    changed, more = 0, 1 + time.time_ns() % 997
    try:
        for batch in _batches(lines[:-_WATCHED], per):
            wait = asyncio.create_task(asyncio.sleep(0.2))
            by_seller: dict[str, list[ImportRow]] = {}
            for line in batch:
                raw = json.loads(line)
                for variant in raw["variants"]:
                    variant["price"] += more
                by_seller.setdefault(raw["seller"], []).append(recognise([raw]).read(Columns(raw)))
            for name, rows in by_seller.items():
                seller_id = await shop.sellers.by_name(name)
                await shop.catalog.take(ImportBatch(rows=rows), seller_id, name)
            changed += per
            await wait
    except asyncio.CancelledError:
        pass
    return changed


async def _watch(
    shop: Shop, reader: engine.IndexReader, line: bytes, seconds: float, *, far: bool
) -> list[float]:
    """Give one product another price, again and again, and look until a search would show it: seconds from
    each commit. Looks as web workers do, from outside of them, so that looking costs them nothing."""
    raw, seen = json.loads(line), list[float]()
    seller_id = await shop.sellers.by_name(raw["seller"])
    began = time.perf_counter()
    try:
        while time.perf_counter() < began + 3 * seconds:
            price = 1_000_000_00 + time.time_ns() // 1_000_000 % 100_000_000
            for variant in raw["variants"]:
                variant["price"] = price
            row = recognise([raw]).read(Columns(raw))
            await shop.catalog.take(ImportBatch(rows=[row]), seller_id, raw["seller"])
            since = time.perf_counter()
            its = engine.Clause.term("codes", re.sub(r"[^a-z0-9]", "", raw["external_id"].lower()))
            while True:
                shown = await asyncio.to_thread(_price, reader, its) if far else _price(reader, its)
                if shown == price:
                    break
                await asyncio.sleep(0.02)
            seen.append(time.perf_counter() - since)
            await asyncio.sleep(0.3)
    except asyncio.CancelledError:
        pass
    return seen


def _price(reader: engine.IndexReader, its: engine.Clause) -> int | None:
    searcher = reader.searcher()
    found = searcher.search(its, 1)
    return codec.decode(searcher.cards(found)[0], ProductCard).price if found else None


def _batches(lines: list[bytes], size: int) -> Iterator[list[bytes]]:
    endless = itertools.cycle(lines)
    while True:
        yield list(itertools.islice(endless, size))


async def _stopped(changing: "asyncio.Task[Done]") -> Done:
    if changing.done():
        return changing.result()
    changing.cancel()
    return await changing


async def _floors(file: Path, asked: list[tuple[str, str]], built: Path, seconds: float) -> list[float]:
    """Measure the bare engine, counting facets and without."""
    with tempfile.NamedTemporaryFile("w", prefix="mercat-bench-") as questions:
        json.dump([words for words, _ in asked], questions)
        questions.flush()
        return [await _bare(file, Path(questions.name), built, seconds, *more) for more in (["facets"], [])]


async def _bare(file: Path, questions: Path, built: Path, seconds: float, *more: str) -> float:
    """Measure the bare engine on as many threads as there are cores, in processes of their own."""
    command = [sys.executable, "-m", "mercat.lab.bench.bare"]
    if not built.exists():
        await asyncio.to_thread(subprocess.run, [*command, "build", str(file), str(built)], check=True)
    runs = [
        await asyncio.create_subprocess_exec(
            *command, "ask", str(questions), str(built), str(seconds), *more, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(os.cpu_count() or 1)
    ]
    return sum([float((await run.communicate())[0]) for run in runs])


def _mercat(*arguments: str) -> None:
    command = [sys.executable, "-m", "mercat", *arguments]
    subprocess.run(command, check=True, env=dict(os.environ), stdout=subprocess.DEVNULL)
