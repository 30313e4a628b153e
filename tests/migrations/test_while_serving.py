"""The last release sells while the new schema comes under it; then this code opens the shop, and goes on."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from commands import mercat
from migrations.test_migrations import COMMITS
from waiting import until

from mercat.lab.bench.shop import audited, serving

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
RELEASE = "0.1.0"
BUYERS = 3
HOME = {
    "name": "Ann",
    "line1": "1 Lane",
    "city": "Boston",
    "region": "MA",
    "postal_code": "02110",
    "country": "US",
}


class Buyers:
    """People who buy one thing after another, over the names of the contract alone."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/api/v1"
        self.orders: list[str] = []
        self.answers: Counter[str] = Counter()
        """Whatever was answered that is no success."""
        self._left = False
        self._tasks: list[asyncio.Task[None]] = []

    async def _ask(self, http: httpx.AsyncClient, verb: str, path: str, **more: object) -> dict[str, str]:
        said = await http.request(verb, self._base + path, **more)  # type: ignore[arg-type]
        if said.status_code >= 400:
            self.answers[f"{verb} {path} {said.status_code} {said.text[:200]}"] += 1
        return said.json()

    async def sets_up(self) -> None:
        async with httpx.AsyncClient(timeout=30) as http:
            bob = {"email": "bob@shop.example", "password": "correct horse 9", "name": "Bob"}
            await self._ask(http, "POST", "/accounts", json=bob)
            said = {"email": bob["email"], "password": bob["password"]}
            session = await self._ask(http, "POST", "/sessions", json=said)
            headers = {"Authorization": f"Bearer {session['token']}"}
            await self._ask(http, "POST", "/sellers", json={"name": "Bob"}, headers=headers)
            cup = {"title": "Cup", "category": "Cups", "price": 5, "currency": "USD", "quantity": 100_000}
            cup["description"] = "A cup"
            self.offer_id = (await self._ask(http, "POST", "/seller/products", json=cup, headers=headers))[
                "offer_id"
            ]

    def come(self) -> None:
        self._tasks = [asyncio.create_task(self._buy_on(n)) for n in range(BUYERS)]

    async def leave(self) -> None:
        self._left = True
        await asyncio.gather(*self._tasks)

    async def _buy_on(self, n: int) -> None:
        async with httpx.AsyncClient(timeout=30) as http:
            guest = await self._ask(http, "POST", "/sessions/guest")
            http.headers["authorization"] = f"Bearer {guest['token']}"
            http.cookies.clear()
            address = await self._ask(http, "POST", "/addresses", json=HOME)
            bought = 0
            while not self._left and not self.answers:
                card = await self._ask(http, "POST", "/payment-methods", json={"token": "tok_visa"})
                await self._ask(http, "POST", "/cart/items", json={"offer_id": self.offer_id, "quantity": 1})
                ask = {
                    "shipping_address_id": address["address_id"],
                    "payment_method_id": card["payment_method_id"],
                    "shipping_method": "standard",
                    "email": "ann@shop.example",
                }
                key = {"Idempotency-Key": f"upgrade-{id(self)}-{n}-{bought}"}
                said = await self._ask(http, "POST", "/orders/checkout", json=ask, headers=key)
                if "order_id" in said:
                    self.orders.append(said["order_id"])
                    bought += 1

    async def have_bought(self, more: int) -> None:
        enough = len(self.orders) + more

        async def bought() -> bool:
            return len(self.orders) >= enough

        await until(bought, 60)


def take_out(commit: str, tree: Path) -> None:
    """Lay a release's files into a folder."""
    if subprocess.run(["git", "cat-file", "-e", commit], cwd=ROOT, capture_output=True).returncode:
        pytest.skip(f"the commit of {RELEASE}, {commit}, is not in this copy's history")
    tree.mkdir()
    archived = subprocess.check_output(["git", "archive", commit], cwd=ROOT)
    subprocess.run(["tar", "-x", "-C", tree], input=archived, check=True)


def start(tree: Path, data: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from mercat.cli import main; main()", "serve", "--no-demo"]
    command += ["--data", str(data), "--port", str(port)]
    with (data.parent / "released.log").open("wb") as log:
        told = {**os.environ, "PYTHONPATH": str(tree)}
        return subprocess.Popen(command, cwd=tree, env=told, stdout=log, stderr=log)


@asynccontextmanager
async def released(tree: Path, data: Path) -> AsyncIterator[int]:
    """Serve a shop by the release's own code."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    shop = start(tree, data, port)

    async def ready() -> bool:
        assert shop.poll() is None, (data.parent / "released.log").read_text()
        try:
            async with httpx.AsyncClient() as http:
                return (await http.get(f"http://127.0.0.1:{port}/ready")).status_code == 200
        except httpx.TransportError:
            return False

    try:
        await until(ready, 60)
        yield port
    finally:
        shop.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(shop.wait, 60) == 0


async def test_the_last_release_sells_while_the_new_schema_comes_and_this_code_goes_on(tmp_path: Path):
    tmp_path.chmod(0o755)
    tree, data = tmp_path / "tree", tmp_path / "data"
    take_out(COMMITS[RELEASE], tree)
    data.mkdir(mode=0o711)
    async with released(tree, data) as port:
        buyers = Buyers(port)
        await buyers.sets_up()
        buyers.come()
        await buyers.have_bought(5)
        migrated = await asyncio.to_thread(mercat, "migrate", "--data", data)
        assert migrated.returncode == 0, migrated.stderr
        await buyers.have_bought(5)
        await buyers.leave()
        assert buyers.answers == {}, "nothing failed while the schema came"
        assert len(buyers.orders) == len({*buyers.orders}) >= 10
    async with serving(data) as connection:
        later = Buyers(connection.port)
        later.offer_id = buyers.offer_id
        later.come()
        await later.have_bought(3)
        await later.leave()
        assert later.answers == {}
        assert [finding for finding in await audited(connection) if finding.violations] == []
