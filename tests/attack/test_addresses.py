"""Addresses that people and programs try by themselves."""

import httpx

from mercat.kit.refusals import Refusal


async def test_a_slash_at_the_end_leads_to_the_address_without(visitor: httpx.AsyncClient) -> None:
    for path, there in (
        ("/cart/", "/cart"),
        ("/api/v1/search/?q=a%20b", "/api/v1/search?q=a%20b"),
        ("/help//", "/help"),
    ):
        said = await visitor.get(path)
        assert (said.status_code, said.headers["location"]) == (308, there)
    said = await visitor.post("/api/v1/sessions/", json={})
    assert (said.status_code, said.headers["location"]) == (308, "/api/v1/sessions")
    for path in ("/nothing/", "//evil.example/", "//evil.example//"):
        assert (await visitor.get(f"http://shop{path}")).status_code == 404, path


async def test_every_problem_type_leads_to_a_page_that_explains_it(visitor: httpx.AsyncClient) -> None:
    refusal = (await visitor.get("/api/v1/nothing")).json()
    page = await visitor.get(refusal["type"])
    assert page.status_code == 200
    assert refusal["title"] in page.text
    family = [Refusal]
    for kind in family:
        family += kind.__subclasses__()
        assert (await visitor.get(f"/problems/{kind.code()}")).status_code == 200, kind
    assert (await visitor.get("/problems/no_such_problem")).status_code == 404


async def test_what_is_looked_for_by_convention_is_there(visitor: httpx.AsyncClient) -> None:
    icon = await visitor.get("/favicon.ico", follow_redirects=True)
    assert icon.headers["content-type"].startswith("image/svg")
    text = (await visitor.get("/.well-known/security.txt")).text
    assert "Contact: mailto:" in text
    assert "Expires: " in text
    password = await visitor.get("/.well-known/change-password")
    assert (password.status_code, password.headers["location"]) == (303, "/account")
