"""Operators say what searches put first; every worker of the shop does so within five seconds."""

from itertools import count

from journeys.people import code, until


async def test_a_pin_over_the_api_and_who_may(town):
    ops = await town.signed_in("ops@example.com")
    found = (await town.nobody.get("/search?q=lamp&limit=20"))["results"]
    wanted = found[-1]["product_id"]
    rule = {"kind": "pin", "words": "lamp", "product_id": wanted, "place": 1}
    kept = await ops.post("/search/rules", rule)
    rule_id = kept["rule_id"]
    others = count(1_000_000)  # a price beyond all: another address each time, so that no cache answers
    try:

        async def in_every_worker():
            asked = [f"/search?q=lamp&limit=1&filters[price_max]={next(others)}" for _ in range(8)]
            answers = [await town.nobody.get(each) for each in asked]
            return all(answer["results"][0]["product_id"] == wanted for answer in answers)

        assert await until(in_every_worker, 5) < 5
        (reason, *_) = (await ops.get("/search/explain?q=lamp"))["why"]
        assert (reason["product_id"], reason["pinned"], reason["rules"]) == (wanted, 1, [rule_id])
        assert rule_id in [each["rule_id"] for each in (await ops.get("/search/rules"))["rules"]]
        changed = await ops.ask("PUT", f"/search/rules/{rule_id}", rule | {"place": 2})
        assert changed.json()["place"] == 2
    finally:
        assert (await ops.ask("DELETE", f"/search/rules/{rule_id}")).status_code == 200
    removed, *_ = (await ops.get("/search/rule-changes?limit=1"))["changes"]
    assert (removed["what"], removed["was"]["place"], removed["by"]) == ("removed", 2, kept["changed_by"])
    assert code(await ops.ask("PUT", f"/search/rules/{rule_id}", rule)) == (404, "not_found")
    assert code(await ops.ask("POST", "/search/rules", rule | {"place": 99})) == (422, "invalid")
    assert code(await ops.ask("POST", "/search/rules", {"kind": "boost", "factor": 2})) == (422, "invalid")
    ann = await town.signed_in("ann@example.com")
    for verb, path in (("GET", "/search/rules"), ("POST", "/search/rules"), ("GET", "/search/rule-changes")):
        assert code(await ann.ask(verb, path, rule if verb == "POST" else None)) == (403, "forbidden")
        assert code(await town.nobody.ask(verb, path, rule if verb == "POST" else None))[0] == 401
