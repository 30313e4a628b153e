"""What no program should send: it is refused as such, and never fails."""

import httpx
import pytest
from one_scene import one_scene

BOUNDARY = "multipart/form-data; boundary=x"
FORM = "application/x-www-form-urlencoded"
FORMS = [
    (BOUNDARY, b"--x\r\n"),
    (BOUNDARY, b"nothing of the kind"),
    (BOUNDARY, b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nno end'),
    (BOUNDARY, b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n"),
    (BOUNDARY, b"--x\r\nno header\r\n\r\n\r\n--x--\r\n"),
    (BOUNDARY, b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\xff\xfe\r\n--x--\r\n'),
    ("multipart/form-data", b"--x--\r\n"),
    ("multipart/form-data; boundary=", b"--x--\r\n"),
    (
        "multipart/form-data; boundary=x; charset=none-such",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n',
    ),
    (FORM, b"a=%00"),
    (FORM, b"%00=a"),
    (FORM, b"a=%ff%fe"),
    (FORM, b"a=\xff\xfe"),
    (FORM, b"a=%zz"),
    (FORM, b"a=%"),
    (FORM, b"&".join(b"f%d=1" % n for n in range(5_000))),
    ("text/plain", b"a=b"),
    ("application/json", b'{"a": "b"}'),
    ("", b"a=b"),
]


@pytest.mark.parametrize("path", ["/signin", "/register", "/cart/items"])
async def test_a_malformed_form_is_400_and_never_a_failure(visitor: httpx.AsyncClient, path: str) -> None:
    for kind, body in FORMS:
        said = await visitor.post(path, content=body, headers={"content-type": kind} if kind else {})
        assert said.status_code in (400, 403, 415), (kind, body[:80], said.status_code, said.text[:200])
    for kind, body in [*FORMS[:5], *FORMS[9:16]]:
        said = await visitor.post(path, content=body, headers={"content-type": kind})
        assert said.status_code == 400, (kind, body[:80], said.status_code, said.text[:200])


async def test_a_form_that_is_too_large_is_413(visitor: httpx.AsyncClient) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n%s\r\n--x--\r\n' % (b"x" * 1_100_000)
    for kind, body in ((FORM, b"a=" + b"x" * 1_100_000), (BOUNDARY, part)):
        said = await visitor.post("/signin", content=body, headers={"content-type": kind})
        assert said.status_code == 413, said.text[:200]


ODD = ["%00", "a%00b", "%ff", "%c3", "%", "%z", "%zz", "%2", "%u0041"]


@one_scene(
    "place",
    [
        *("/p/{}", "/c/{}", "/{}", "/search?q={}", "/search?{}=a", "/search?q=a&page={}", "/media/{}"),
        *("/api/v1/products/{}", "/api/v1/search?q={}", "/api/v1/{}", "/api/v1/search?q=a&sort={}"),
    ],
)
async def test_odd_octets_in_an_address_never_fail(visitor: httpx.AsyncClient, place: str) -> None:
    for odd in ODD:
        said = await visitor.get(httpx.URL("http://shop").copy_with(raw_path=place.format(odd).encode()))
        assert said.status_code < 500, (odd, said.text[:300])
        if odd in ("%00", "a%00b", "%ff", "%c3", "%", "%z"):
            assert said.status_code in (400, 404, 422), (odd, said.status_code)
