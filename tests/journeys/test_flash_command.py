"""A sale from the operator's terminal: planned, prepared, run, finished, checked."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from journeys.people import new_key, ok, until

from mercat.kit.batching import AT_ONCE


async def _mercat(shop, *arguments, good=True):
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mercat", "flash", *arguments, "--data", shop.data),
        env={**os.environ, "USER": "olga", "COLUMNS": "120"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await run.communicate()
    said = out.decode() + err.decode()
    assert (run.returncode == 0) == good, said
    return said


@pytest.mark.long
async def test_a_sale_from_the_plan_to_the_certificate(town, bea, open_shop, tmp_path):
    name = f"t{new_key()[:12]}"
    tea = await bea.lists("Tea of the first harvest", quantity=3)
    start = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")[:19]
    assert "is neither an offer" in await _mercat(open_shop, "create", name, "tea", "3", start, good=False)
    assert "Only 3 are in stock" in await _mercat(
        open_shop, "create", name, tea["offer_id"], "4", start, good=False
    )
    said = await _mercat(open_shop, "create", name, tea["offer_id"], "3", start, "--per-address", "0")
    planned = await town.nobody.get(f"/flash-sales/{name}")
    assert planned["state"] == "planned"
    assert planned["commitment"] in said

    said = await _mercat(open_shop, "prepare", name, "--dry-run", "--people", "2000000")
    assert "Nothing was changed" in said
    for step in ("room for the queue", "2 on ", "connections to PostgreSQL", "breakers armed"):
        assert step in said
    early = await (await town.guest()).ready()
    assert (await early.post(f"/flash-sales/{name}/queue"))["state"] == "drawing"
    product = (await town.nobody.get("/products?limit=1"))["products"][0]["product_id"]
    like_it = f"/products/{product}/recommendations"
    assert (await town.nobody.get(like_it))["products"]
    (tmp_path / "file").touch()
    said = await _mercat(open_shop, "prepare", name, "--out", str(tmp_path / "file"), good=False)
    assert "cannot be written" in said
    await _mercat(open_shop, "prepare", name, "--out", str(tmp_path))
    page = (tmp_path / "flash" / name / "index.html").read_text()
    assert "Tea of the first harvest" in page
    assert "/static/mercat.css" in page
    assert (tmp_path / "static" / "mercat.css").stat().st_size > 1_000

    async def shelves_are(there: bool):
        """In every worker: asked often enough to meet them all."""
        shelves = [bool((await town.nobody.get(like_it))["products"]) for _ in range(8)]
        return shelves == [there] * 8

    await until(lambda: shelves_are(False))

    async def till_is_open():
        """Of both web workers."""
        owner = await asyncpg.connect(**open_shop.postgres())
        theirs = "select count(*) from pg_stat_activity where usename = 'mercat_payments'"
        there = await owner.fetchval(theirs)
        await owner.close()
        return there >= 2 * AT_ONCE

    await until(till_is_open)

    await _start(open_shop, name)

    async def turn():
        return "pass" in await early.get(f"/flash-sales/{name}/queue")

    await until(turn)
    place = await early.get(f"/flash-sales/{name}/queue")
    await early.puts(tea["offer_id"])
    ok(
        await early.ask(
            "POST", "/orders/checkout", early.way, idempotency_key=new_key(), flash_pass=place["pass"]
        ),
        201,
    )
    assert "none" in await _mercat(open_shop, "finish", name, "--why", "Enough for today.")
    await until(lambda: shelves_are(True))
    assert "Every place is right" in await _mercat(open_shop, "verify", name)
    kept = await town.nobody.get(f"/flash-sales/{name}/certificate")
    said = kept["certificate"]
    assert (said["units"], said["sold"], said["state"]) == (3, 1, "ended")
    assert "Enough for today." in [act["why"] for act in said["acts"]]
    file = tmp_path / "certificate.json"
    await _mercat(open_shop, "certificate", name, "--out", str(file))
    assert "unchanged" in await _mercat(open_shop, "certificate", name, "--check", str(file))
    said = await _mercat(open_shop, "certificate", name, "--out", str(tmp_path / "no" / "c"), good=False)
    assert "cannot be written" in said
    said = await _mercat(open_shop, "certificate", name, "--check", str(tmp_path / "none"), good=False)
    assert "cannot be read" in said
    bent = json.loads(file.read_text())
    bent["certificate"]["sold"] = 2
    file.write_text(json.dumps(bent))
    assert "NOT" in await _mercat(open_shop, "certificate", name, "--check", str(file), good=False)
    await early.puts(tea["offer_id"])
    assert (await early.buys())["status"] == "confirmed"  # the rest is sold as ever


async def _start(shop, name):
    owner = await asyncpg.connect(**shop.postgres())
    await owner.execute("update flashsale.sale set starts_at = now() where sale_id = $1", name)
    await owner.close()
