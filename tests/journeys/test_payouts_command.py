"""Sellers are paid at the terminal: what is available, once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from commands import mercat
from journeys.people import Seller, Town, new_key, until

from mercat.embedded import temporary
from mercat.lab.bench.shop import serving

TEA = {
    "title": "Tea",
    "description": "",
    "category": "uncategorised",
    "price": 10,
    "currency": "USD",
    "quantity": 9,
}
PAYS_AT_ONCE = {"MERCAT_PAYOUT_HOLD_DAYS": "0", "MERCAT_PAYOUT_SCHEDULE": "off"}


async def _payouts(folder: Path, *arguments: str) -> tuple[int, str]:
    done = await asyncio.to_thread(mercat, "payouts", *arguments, "--data", folder, **PAYS_AT_ONCE)
    return done.returncode, done.stdout or done.stderr


async def _sells(http: httpx.AsyncClient) -> Seller:
    """A seller of three tins that have arrived."""
    town = Town(http)
    bea = await town.seller()
    tea = await bea.post("/seller/products", TEA)
    gus = await (await town.guest()).ready()
    await gus.puts(tea["offer_id"], 3)
    order = await gus.buys()
    await bea.order_here(order["order_id"])
    units = [{"order_line_id": order["lines"][0]["order_line_id"], "quantity": 3}]
    parcel = {
        "order_id": order["order_id"],
        "lines": units,
        "carrier": "Post",
        "tracking_number": new_key(),
    }
    shipment = await bea.post("/seller/shipments", parcel)
    await bea.post(f"/seller/shipments/{shipment['shipment_id']}/events", {"status": "delivered"})

    async def available() -> bool:
        return (await bea.get("/seller/balance"))["available"] == 31.99

    await until(available, 30)
    return bea


@pytest.mark.long
async def test_payouts_are_planned_run_and_listed_at_the_terminal():
    with temporary() as home:
        folder = Path(home.path)
        more = {"MERCAT_SELLER_APPROVAL": "auto", "MERCAT_DEV_PAGES": "1", **PAYS_AT_ONCE}
        async with (
            serving(folder, workers=1, more=more) as shop,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{shop.port}/api/v1", timeout=30) as http,
        ):
            bea = await _sells(http)
            code, said = await _payouts(folder, "run", "--dry-run", "--json")
            plan: Any = json.loads(said)
            assert (code, [each["amount"] for each in plan["payouts"]]) == (0, [3_199])
            assert (await bea.get("/seller/payouts"))["payouts"] == []
            code, said = await _payouts(folder, "run")
            assert (code, "1 paid or under way, $31.99; 0 failed." in said) == (0, True), said
            code, said = await _payouts(folder, "run", "--json")
            assert (code, json.loads(said)["payouts"]) == (0, [])
            [payout] = (await bea.get("/seller/payouts"))["payouts"]
            assert (payout["status"], payout["amount"]) == ("paid", 31.99)
            code, said = await _payouts(folder, "list", "--status", "paid")
            assert payout["payout_id"] in said
            code, said = await _payouts(folder, "list", "--status", "lost")
            assert (code, "not 'lost'" in said) == (1, True)
            audit = await asyncio.to_thread(mercat, "audit", "--data", folder)
            assert audit.returncode == 0, audit.stderr
