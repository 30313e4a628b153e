"""Who runs a shop without the demo: made, granted and revoked at the terminal."""

import asyncio
import os
import sys
from pathlib import Path

import httpx
import pytest
from journeys.people import Person, code, until

from mercat.embedded import temporary
from mercat.lab.bench.shop import serving

PASSWORD = "a horse of a different colour"


async def mercat(folder, *arguments, typed="", good=True, group="operator"):
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mercat", group, *arguments, "--data", str(folder)),
        env={**os.environ, "COLUMNS": "120"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await run.communicate(typed.encode())
    said = out.decode() + err.decode()
    assert (run.returncode == 0) == good, said
    return said


async def signed_in(shop, email):
    http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{shop.port}/api/v1", timeout=30)
    session = await Person(http).post("/sessions", {"email": email, "password": PASSWORD})
    return Person(http, session["token"])


@pytest.mark.long
async def test_a_shop_without_the_demo_gets_its_first_operator_at_the_terminal():
    with temporary() as home:
        folder = Path(home.path)
        hint = "mercat operator create EMAIL"
        async with serving(folder) as shop:
            said = await mercat(folder, "create", "olga@example.com", typed="short\n", good=False)
            assert "--password-stdin" in said
            stdin = ("create", "olga@example.com", "--password-stdin")
            assert "characters" in await mercat(folder, *stdin, typed="short\n", good=False)
            await mercat(folder, *stdin, typed=f"{PASSWORD}\n")
            assert "already" in await mercat(folder, *stdin, typed=f"{PASSWORD}\n", good=False)
            olga = await signed_in(shop, "olga@example.com")
            assert await olga.get("/search/rules") is not None

            account = {"email": "otto@example.com", "password": PASSWORD, "name": "Otto"}
            await olga.post("/accounts", account)
            otto = await signed_in(shop, "otto@example.com")
            assert code(await otto.ask("GET", "/search/rules")) == (403, "forbidden")
            await mercat(folder, "grant", "OTTO@example.com")
            await otto.get("/search/rules")
            await mercat(folder, "revoke", "otto@example.com")
            assert code(await otto.ask("GET", "/search/rules")) == (403, "forbidden")
            assert "Nobody has" in await mercat(folder, "grant", "nobody@example.com", good=False)
            rates = folder / "rates.csv"
            rates.write_text("country,rate,included\nUS,lots,no\n")
            assert "line 2" in await mercat(folder, "import", str(rates), group="tax", good=False)
            rates.write_text("country,subdivision,rate,shipping_taxed,included\nUS,TX,0.0825,yes,no\n")
            assert "from now on: 1, of US" in await mercat(folder, "import", str(rates), group="tax")

            async def taxed() -> bool:
                kept = (await olga.get("/operator/tax-rates"))["rates"]
                return [(each["subdivision"], each["rate"]) for each in kept] == [("TX", 0.0825)]

            await until(taxed)
        assert hint in (folder / "serve.log").read_text()
        async with serving(folder):
            pass
        assert hint not in (folder / "serve.log").read_text()
