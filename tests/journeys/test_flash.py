"""The demo's flash sale, from outside: wait, be let in, buy once."""

import asyncio
from typing import Any

import httpx
import pytest
from journeys.people import Person, Town, code, new_key, ok, until

QUEUE = "/flash-sales/demo/queue"


async def _offer(town: Town) -> str:
    return (await town.nobody.get("/flash-sales/demo"))["offer_id"]


async def _turn(person: Person) -> Any:
    found: list[Any] = []

    async def comes() -> bool:
        found[:] = [await person.get(QUEUE)]
        return "pass" in found[0]

    await until(comes)
    return found[0]


async def test_the_sale_is_one_small_page_for_everybody(town):
    answer = await town.nobody.ask("GET", "/flash-sales/demo")
    sale = ok(answer)
    assert {"state", "serving", "rate", "left"} <= set(sale)
    assert "public" in answer.headers["cache-control"]
    assert len(answer.content) < 1_000
    assert (await town.nobody.ask("GET", "/flash-sales/nowhere")).status_code == 404


async def test_joining_waiting_and_buying_with_the_pass(town):
    offer_id = await _offer(town)
    guest = await (await town.guest()).ready()
    await guest.puts(offer_id)
    assert code(await guest.tries_to_buy()) == (403, "flash_pass_required")

    joined = await guest.ask("POST", QUEUE)
    place = ok(joined, 201)
    assert place["ticket"]
    assert place["position"] >= 1
    again = await guest.ask("POST", QUEUE)
    assert (again.status_code, again.json()["number"]) == (200, place["number"])

    turn = await _turn(guest)
    assert (turn["position"], turn["ahead"], turn["state"]) == (0, 0, "your_turn")
    key = new_key()
    headers = {"idempotency_key": key, "flash_pass": turn["pass"]}
    bought = await guest.ask("POST", "/orders/checkout", guest.way, **headers)
    assert ok(bought, 201)["status"] == "confirmed"
    again = await guest.ask("POST", "/orders/checkout", guest.way, **headers)
    assert again.content == bought.content

    await guest.puts(offer_id)
    replayed = await guest.ask(
        "POST", "/orders/checkout", guest.way, idempotency_key=new_key(), flash_pass=turn["pass"]
    )
    assert code(replayed) == (403, "flash_pass_invalid")

    async def bought_up() -> bool:
        return (await guest.get(QUEUE))["state"] == "bought"

    await until(bought_up)


@pytest.mark.parametrize("pass_", ["x", "AAAA" * 20, "%00%ff", "a" * 3_000])
async def test_what_is_no_pass_opens_nothing(town, pass_):
    guest = await (await town.guest()).ready()
    await guest.puts(await _offer(town))
    headers = {"idempotency_key": new_key(), "flash_pass": pass_}
    refused = await guest.ask("POST", "/orders/checkout", guest.way, **headers)
    assert code(refused) == (403, "flash_pass_invalid")


async def test_a_pass_is_for_one_person(town):
    offer_id = await _offer(town)
    ann, eve = await asyncio.gather(*[(await town.guest()).ready() for _ in range(2)])
    await ann.post(QUEUE)
    turn = await _turn(ann)
    await eve.puts(offer_id)
    stolen = await eve.ask(
        "POST", "/orders/checkout", eve.way, idempotency_key=new_key(), flash_pass=turn["pass"]
    )
    assert code(stolen) == (403, "flash_pass_invalid")


async def test_a_queue_is_for_people_with_a_session(town):
    assert (await town.nobody.ask("POST", QUEUE)).status_code == 401
    assert (await (await town.guest()).ask("GET", QUEUE)).status_code == 404


async def test_the_control_room_is_told_to_operators_alone(town, open_shop):
    live = f"http://127.0.0.1:{open_shop.port}/operator/flash/demo/live"
    async with httpx.AsyncClient(timeout=20) as http:
        for who, status in (("", 303), ("ann@example.com", 403)):
            token = (await town.signed_in(who, "mercat")).token if who else ""
            said = await http.get(live, headers={"Authorization": f"Bearer {token}"} if token else {})
            assert said.status_code == status
        token = (await town.signed_in("ops@example.com", "mercat")).token
        headers = {"Authorization": f"Bearer {token}"}
        assert (await http.get(live.replace("demo", "none"), headers=headers)).status_code == 404
        async with http.stream("GET", live, headers=headers) as said:
            assert said.headers["content-type"].startswith("text/event-stream")
            assert "no-store" in said.headers["cache-control"]
            lines = [line async for line in _until(said.aiter_lines(), "event: done")]
        assert "event: now" in lines
        assert any("Waiting" in line for line in lines)


async def _until(lines, last):
    async for line in lines:
        yield line
        if line == last:
            return
