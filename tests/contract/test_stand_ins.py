"""What a service at the other end of a request promises: the same answers, in few requests, to us alone."""

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress

import httpx
import msgspec
import pytest
from both_ways import posts_to
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route as Endpoint

from mercat import ids
from mercat.ids import OfferId
from mercat.inventory import API, Inventory, Line
from mercat.kit import codec, deadline, neighbours
from mercat.kit.http import FILE_BYTES_MAX
from mercat.kit.neighbours import Neighbour, NeighbourDoor, NotANeighbour, call_key, sign
from mercat.kit.refusals import Invalid, NotFound, Refusal, TooLarge, Unavailable
from mercat.kit.rpc import Caller
from mercat.kit.stand_ins import Replied, path_of, remote, serve_asks
from mercat.kit.verbs import Verb

KEY = b"k" * 32
ANN = Caller(ids.UserId(5), frozenset({"member"}))


class Shelf:
    """A service that remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.left = []

    async def put(self, reference: str, lines: list[Line], note: str | None = None) -> str:
        self.asked.append(reference)
        self.left.append(deadline.left(1e9))
        if reference == "nothing":
            raise NotFound("No such thing.", available=3)
        if reference == "broken":
            raise RuntimeError("a bug")
        return f"{reference}|{note}|{len(lines)}"

    async def slow(self, number: int) -> int:
        await asyncio.Event().wait()
        return number

    async def who(self, caller: Caller | None) -> list[str]:
        return sorted(caller.roles) if caller else []


SHELF = [
    Verb(Shelf.put, many=True),
    Verb(Shelf.slow),
    Verb(Shelf.who),
]


class Counting:
    """A way to another process that counts what it carries."""

    def __init__(self, post):
        self.post = post
        self.requests = Counter()
        self.released = asyncio.Event()
        self.released.set()

    async def __call__(self, path, body, seconds):
        self.requests[path] += 1
        await self.released.wait()
        return await self.post(path, body, seconds)


@asynccontextmanager
async def asked_over_http(service, api):
    app = Starlette(routes=serve_asks(api, service))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://there") as http:
        counting = Counting(posts_to(http))
        yield remote(type(service), api, counting), counting


@asynccontextmanager
async def listening(app):
    """The address of an application on a port of this machine, by the server that the shop has."""
    import socket

    from granian.constants import Interfaces
    from granian.server.embed import Server

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGINL, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        async with asyncio.timeout(15):
            while True:
                try:
                    await http.get("/health")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.01)
        yield http
    server.stop()
    await serving


def guarded(service, api=SHELF):
    return NeighbourDoor(Starlette(routes=serve_asks(api, service, "/internal/shelf")), KEY)


@pytest.mark.parametrize("reference", ["listed/1", "a/b/../c", "..", "", "ü %2F?&#", "x" * 3_000, '"\\'])
async def test_a_text_arrives_as_it_is(reference):
    async with asked_over_http(Shelf(), SHELF) as (shelf, _):
        assert await shelf.put(reference, []) == f"{reference}|None|0"
    async with listening(guarded(Shelf())) as http:
        far = Neighbour("shelf", f"{http.base_url}/internal/shelf", KEY)
        assert await remote(Shelf, SHELF, far).put(reference, [], note="n") == f"{reference}|n|0"
        await far.close()


@pytest.mark.parametrize("reference", ["listed/off_1/2", "cancel/ord_1", "plain"])
async def test_stock_comes_in_by_any_reference_once(pool, reference):
    local = Inventory(await pool("inventory"))
    async with asked_over_http(local, API) as (inventory, _):
        for _ in range(2):
            await inventory.receive(reference, [Line(OfferId(101), 4)], ids.SellerId(7))
            await inventory.put_back(f"back/{reference}", [Line(OfferId(101), 1)])
        assert (await inventory.stock([OfferId(101)]))[OfferId(101)].on_hand == 5


async def test_what_is_asked_at_once_is_one_request_and_each_is_answered_by_itself():
    """The first goes at once; what comes while it is on its way goes together."""
    shelf = Shelf()
    async with asked_over_http(shelf, SHELF) as (far, counting):
        counting.released.clear()
        names = [*map(str, range(198)), "nothing", "broken", "a \0 character"]
        asks = [asyncio.create_task(far.put(name, [])) for name in names]
        while not counting.requests:
            await asyncio.sleep(0)
        counting.released.set()
        answers = await asyncio.gather(*asks, return_exceptions=True)
        assert answers[:198] == [f"{name}|None|0" for name in names[:198]]
        missing, broken, unwritable = answers[198:]
        assert isinstance(missing, NotFound)
        assert (str(missing), missing.facts) == ("No such thing.", {"available": 3})
        assert type(broken) is Refusal
        assert isinstance(unwritable, Invalid)
        assert counting.requests == {"/_many/put": 1}
        assert len(shelf.asked) == 200


async def test_what_comes_while_a_request_is_on_its_way_is_the_next_one():
    async with asked_over_http(Shelf(), SHELF) as (far, counting):
        counting.released.clear()
        asks = []
        for _ in range(3):
            asks += [asyncio.create_task(far.put(str(n), [])) for n in range(100)]
            while not counting.requests:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        counting.released.set()
        await asyncio.gather(*asks)
        assert counting.requests["/_many/put"] == 2


async def test_verbs_that_take_their_time_are_not_gathered():
    async with asked_over_http(Shelf(), SHELF) as (far, counting):
        assert await asyncio.gather(*(far.who(caller) for caller in (ANN, None))) == [["member"], []]
        assert counting.requests == {"/_many/who": 2}


@pytest.mark.parametrize(
    "reply",
    [
        Replied(502, b"<html>Bad gateway</html>"),
        Replied(404, b"Not Found"),
        Replied(200, b"[]"),
        Replied(200, b"{"),
        Replied(500, b'{"detail": "no code"}'),
    ],
)
async def test_a_reply_that_is_none_of_ours_is_unavailable(reply):
    async def post(path, body, seconds):
        return reply

    far = remote(Shelf, SHELF, post)
    with pytest.raises(Unavailable):
        await far.put("x", [])
    with pytest.raises(Unavailable):
        await far.who(None)


async def test_old_and_new_processes_understand_each_other():
    shelf = Shelf()
    app = Starlette(routes=serve_asks(SHELF, shelf))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://there") as http:
        # An older caller leaves out what it does not know, a newer one says more.
        for asked in ({"reference": "x", "lines": []}, {"reference": "x", "lines": [], "gift": True}):
            answer = await http.post("/_many/put", content=codec.encode([asked]))
            assert answer.json() == [{"answer": "x|None|0"}]
        # What is missing or wrong is refused by itself.
        answer = await http.post("/_many/put", content=codec.encode([{"reference": 1}, asked, 5]))
        codes = [each.get("problem", {}).get("code") for each in answer.json()]
        assert codes == ["invalid", None, "invalid"]
        assert (await http.post("/_many/put", content=codec.encode([asked] * 257))).status_code == 422


def headers(body=b"[]", path="/internal/shelf/_many/who", verb="POST", at=None, caller="", key=KEY):
    at = str(int(time.time()) if at is None else at)
    signed = sign(key, verb, path, at, "1000", caller, body)
    return {neighbours.SIGNATURE: signed, neighbours.TIME: at, neighbours.PATIENCE: "1000"}


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("no signature", {neighbours.SIGNATURE: ""}),
        ("another key", headers(key=b"x" * 32)),
        ("another body", headers(body=b"[{}]")),
        ("another address", headers(path="/internal/shelf/_many/put")),
        ("another method", headers(verb="GET")),
        ("an old one", headers(at=time.time() - 3_600)),
        ("one of tomorrow", headers(at=time.time() + 86_400)),
        ("another time", {neighbours.TIME: str(int(time.time()) - 1)}),
        ("more patience", {neighbours.PATIENCE: "1000000"}),
        ("somebody else as caller", {"x-mercat-caller": codec.text(ANN)}),
        ("nonsense", {neighbours.TIME: "²", neighbours.SIGNATURE: "ü"}),
    ],
)
async def test_who_is_none_of_ours_is_refused_and_nothing_is_asked(what, changed):
    shelf = Shelf()
    transport = httpx.ASGITransport(guarded(shelf))
    async with httpx.AsyncClient(transport=transport, base_url="http://there") as http:
        path = "/internal/shelf/_many/who"
        given = {name: value.encode() for name, value in {**headers(), **changed}.items()}
        answer = await http.post(path, content=b"[]", headers=given)
        assert (answer.status_code, answer.json()["code"]) == (401, NotANeighbour.code()), what
        for plain in ("/internal/shelf/_many/put", "/internal/shelf/nothing", "/health"):
            assert (await http.post(plain, content=b"[]")).status_code == 401
        assert (await http.post(path, content=b"[]", headers=headers())).status_code == 200
    assert shelf.asked == []


class Unread:
    """A body that says how much of it was read."""

    def __init__(self, size):
        self.read = 0
        self._size = size

    async def parts(self):
        while self.read < self._size:
            self.read += 100_000
            yield b" " * 100_000


@pytest.mark.parametrize("says_how_long", [True, False])
async def test_what_is_too_large_for_a_verb_is_refused_before_it_is_read(says_how_long):
    shelf, body = Shelf(), Unread(30_000_000)
    parts = body.parts()
    scope_headers = {"content-length": "30000000"} if says_how_long else {}
    heard = []

    async def receive():
        return {"type": "http.request", "body": await anext(parts), "more_body": True}

    async def send(message):
        heard.append(message)

    signed = {**headers(path="/internal/shelf/_many/who"), **scope_headers}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/internal/shelf/_many/who",
        "raw_path": b"/internal/shelf/_many/who",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in signed.items()],
    }
    await guarded(shelf)(scope, receive, send)
    assert heard[0]["status"] == 413
    assert body.read <= (0 if says_how_long else 1_100_000)
    assert shelf.asked == []


class Files:
    async def take(self, content: bytes) -> int:
        return len(content)

    async def note(self, text: str) -> int:
        return len(text)

    async def notes(self, texts: list[Line]) -> int:
        return len(texts)


FILES = [Verb(Files.take), Verb(Files.note, many=True), Verb(Files.notes)]


async def test_a_file_and_a_set_of_rows_reach_who_takes_them_and_long_words_go_one_by_one():
    large = {f"/internal/files{path_of(verb)}": verb.bytes_max for verb in FILES}
    app = Starlette(routes=serve_asks(FILES, Files(), "/internal/files"))
    async with listening(NeighbourDoor(app, KEY, bytes_max=large)) as http:
        neighbour = Neighbour("files", f"{http.base_url}/internal/files", KEY)
        counting = Counting(neighbour)
        far = remote(Files, FILES, counting)
        assert await far.take(b"x" * FILE_BYTES_MAX) == FILE_BYTES_MAX
        assert await far.notes([Line(OfferId(1 << 60), 1)] * 50_000) == 50_000
        assert await asyncio.gather(*(far.note("x" * 400_000) for _ in range(5))) == [400_000] * 5
        assert counting.requests["/_many/note"] == 3  # the first alone, then two and two
        with pytest.raises(TooLarge):
            await far.note("x" * 1_100_000)
        assert counting.requests["/_many/note"] == 3
        assert neighbour.breaker.state == "closed"
        await neighbour.close()


async def test_a_deadline_travels_and_nobody_works_on_beyond_it():
    shelf = Shelf()
    async with listening(guarded(shelf)) as http:
        neighbour = Neighbour("shelf", f"{http.base_url}/internal/shelf", KEY)
        far = remote(Shelf, SHELF, neighbour)
        await far.put("x", [])
        with suppress(TimeoutError):
            async with deadline.within(0.3):
                await far.put("y", [])
                with pytest.raises(Unavailable):
                    await far.slow(1)
        assert shelf.left[0] == pytest.approx(10, abs=1)
        assert 0 < shelf.left[1] <= 0.3
        assert neighbour.breaker.state == "closed"  # it was given no fair time
        await neighbour.close()


async def test_a_neighbour_that_hangs_opens_its_breaker_and_closes_it_when_it_is_back(monkeypatch):
    monkeypatch.setattr(neighbours, "_FAIR_S", 0.05)
    hangs = asyncio.Event()
    asked = []

    async def answer(request):
        asked.append(request.url.path)
        await hangs.wait()
        return PlainTextResponse(b'[{"answer":[]}]')

    app = Starlette(routes=[Endpoint("/_many/who", answer, methods=["POST"]), Endpoint("/health", answer)])
    hangs.set()
    async with listening(app) as http:
        hangs.clear()
        neighbour = Neighbour("shelf", str(http.base_url), KEY)
        neighbour.breaker = neighbours.Breaker("shelf", failures=3, rest_s=60)
        far = remote(Shelf, SHELF, neighbour, patience_s=0.1)
        for _ in range(3):
            with pytest.raises(Unavailable):
                await far.who(None)
        assert neighbour.breaker.state == "open"
        before = len(asked)
        with pytest.raises(Unavailable):
            await far.who(None)
        assert len(asked) == before, "an open breaker answers by itself"
        hangs.set()
        neighbour.breaker._open_until = 0.0  # it has rested

        async def back():
            try:
                return await far.who(None) == []
            except Unavailable:
                return False

        from waiting import until

        await until(back)
        assert neighbour.breaker.state == "closed"
        await neighbour.close()


async def test_a_port_where_nobody_listens_is_unavailable():
    neighbour = Neighbour("shelf", "http://127.0.0.1:9", KEY)
    with pytest.raises(Unavailable):
        await remote(Shelf, SHELF, neighbour).put("x", [])
    await neighbour.close()


def test_the_key_is_of_the_shop_and_for_this_alone(settings):
    other = msgspec.structs.replace(settings, secret_key="another")
    assert len({call_key(settings), call_key(other), settings.key("forms")}) == 3
