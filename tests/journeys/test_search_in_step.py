"""The index and the catalogue: drift is found and mended, a change is found at once."""

import asyncio
import json
import os
import sys
import uuid

import asyncpg
import pytest
from journeys.people import ok, until

from mercat.ids import ProductId, parse


async def _verify(shop, *arguments):
    """Exit code and verdict of the command."""
    run = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "mercat",
            "search",
            "verify",
            "--json",
            "--data",
            shop.data,
            *arguments,
        ),
        env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(run.communicate(), 120)
    assert out, err.decode()
    return run.returncode, json.loads(out.splitlines()[-1])


@pytest.fixture
async def owner(open_shop):
    told = open_shop.postgres()
    connection = await asyncpg.connect(**told)
    yield connection
    await connection.close()


@pytest.mark.long
async def test_drift_is_found_and_mended(town, bea, open_shop, owner):
    word = f"w{uuid.uuid4().hex[:10]}"
    listed = [await bea.lists(f"{word} number {n}", quantity=5) for n in range(3)]

    async def titles():
        found = (await town.nobody.get(f"/search?q={word}"))["results"]
        return {each["product_id"]: each["title"] for each in found}

    async def all_there():
        return len(await titles()) == 3

    await until(all_there)
    code, verdict = await _verify(open_shop)
    assert (code, verdict["differences"]) == (0, []), "in step"
    assert verdict["checked"] >= 2_003
    other, older, hidden = (int(parse(ProductId, each["product_id"])) for each in listed)
    # changes that nobody was told of: the index keeps what was
    change = "update catalog.product set title = $2, version = version + $3 where product_id = $1"
    await owner.execute(change, other, f"{word} renamed", 0)
    await owner.execute(change, older, f"{word} newer", 1)
    await owner.execute("update catalog.offer set status = 'draft' where product_id = $1", hidden)
    code, verdict = await _verify(open_shop)
    planted = {each["product_id"]: each["what"] for each in verdict["differences"]}
    assert (code, planted) == (1, {other: "other", older: "older", hidden: "other"})
    code, verdict = await _verify(open_shop, "--mend")
    assert (code, len(verdict["differences"])) == (0, 3)
    renamed = {listed[0]["product_id"]: f"{word} renamed", listed[1]["product_id"]: f"{word} newer"}

    async def mended():
        return await titles() == renamed

    assert await until(mended) < 5
    assert await _verify(open_shop) == (0, {"checked": verdict["checked"], "differences": []})


async def test_a_new_title_is_found_within_a_second(town, bea):
    old, new = (f"w{uuid.uuid4().hex[:10]}" for _ in range(2))
    tea = await bea.lists(f"Green {old}", quantity=3)
    path = f"/seller/products/{tea['product_id']}"

    async def found(word):
        return [each["product_id"] for each in (await town.nobody.get(f"/search?q={word}"))["results"]]

    async def there():
        return await found(old) == [tea["product_id"]]

    await until(there)
    changed = ok(
        await bea.ask(
            "PATCH", path, {"title": f"Green {new}", "brand": "Acme", "attributes": {"origin": new}}
        )
    )
    assert changed == await bea.get(path)

    async def is_new():
        return await found(new) == [tea["product_id"]] and not await found(old)

    assert await until(is_new) < 1
    shown = await town.nobody.get(f"/products/{tea['product_id']}")
    assert (shown["title"], shown["brand"], shown["attributes"]) == (f"Green {new}", "Acme", {"origin": new})
    assert shown["in_stock"]
    assert ok(await bea.ask("PATCH", path, {"brand": None}))
    assert (await town.nobody.get(f"/products/{tea['product_id']}"))["brand"] is None
    assert ok(await bea.ask("PATCH", path, {})), "nothing to change is no error"
    zoe = await town.seller()
    for person, body, status in (
        (zoe, {"title": "Mine"}, 404),
        (bea, {"title": ""}, 422),
        (bea, {"title": None}, 422),
        (bea, {"description": "x" * 20_001}, 422),
        (bea, {"category": "x" * 201}, 422),
        (town.nobody, {"title": "Mine"}, 401),
    ):
        assert (await person.ask("PATCH", path, body)).status_code == status, body
