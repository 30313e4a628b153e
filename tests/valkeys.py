"""Valkeys of tests: what takes all from a store, and clusters of their own."""

import asyncio
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from mercat.embedded.processes import wait_until
from mercat.embedded.valkey import STORE, server
from mercat.kit.refusals import Unavailable
from mercat.kit.valkey import Store, ValkeyServer
from mercat.kit.valkey_cluster import SLOTS, View, view_of
from mercat.lab.bench.shop import free_port


async def forget_all(store: Store) -> None:
    """Take everything from all servers, as if each had lost its disk."""
    for each in await store.servers():
        await each.client.flushall()


async def names_in(store: Store, pattern: str) -> list[bytes]:
    """List what all servers have under such a name."""
    return [name for each in await store.servers() for name in await each.do("KEYS", pattern)]


class ClusterNode:
    """A server of a cluster, on a port of this machine."""

    def __init__(self, folder: Path, more: Sequence[str] = ()) -> None:
        self.port, self.bus = free_port(), free_port()
        self.url = f"valkey://127.0.0.1:{self.port}"
        self._folder = folder
        self._more = more
        self.process: subprocess.Popen[bytes] | None = None
        self.number = b""

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        given = {
            **STORE,
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "logfile": self._folder / "log",
            "save": "",
            "cluster-enabled": "yes",
            "cluster-port": self.bus,
            "cluster-node-timeout": 1_000,
            "cluster-replica-validity-factor": 0,
            "cluster-require-full-coverage": "no",
        }
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        self.process = subprocess.Popen([server(), *words, *self._more])

    async def ask(self, *command: Any) -> Any:
        """Ask this server and no other."""
        asked = ValkeyServer(self.url)
        try:
            return await asked.do(*command)
        finally:
            await asked.close()

    async def answers(self) -> bool:
        try:
            return await self.ask("PING") in (b"PONG", True)
        except Unavailable:
            return False

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def hang(self) -> None:
        """Let it answer nobody, as if the network were cut."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def __repr__(self) -> str:
        return f"node {self.port}"


class Valkeys:
    """A cluster: its primaries, and a replica of each or none."""

    def __init__(self, folder: Path, primaries: int, replicas: bool) -> None:
        self.primaries = [ClusterNode(folder / f"p{n}") for n in range(primaries)]
        self.replicas = [ClusterNode(folder / f"r{n}") for n in range(primaries)] if replicas else []
        self.url = ",".join(node.url for node in self.primaries)

    @property
    def nodes(self) -> list[ClusterNode]:
        return [*self.primaries, *self.replicas]

    async def start(self) -> None:
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            await until(node.answers)
            node.number = await node.ask("CLUSTER", "MYID")
        share = SLOTS // len(self.primaries)
        for n, node in enumerate(self.primaries):
            last = SLOTS - 1 if n == len(self.primaries) - 1 else (n + 1) * share - 1
            await node.ask("CLUSTER", "ADDSLOTSRANGE", n * share, last)
            await node.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        for node in self.nodes[1:]:
            await self.nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)
        await until(self.know_each_other)
        for primary, replica in zip(self.primaries, self.replicas, strict=False):
            await replica.ask("CLUSTER", "REPLICATE", primary.number)
        await until(self.is_whole)

    async def know_each_other(self) -> bool:
        said = [(await node.ask("CLUSTER", "NODES")).count(b"connected") for node in self.nodes]
        return min(said) >= len(self.nodes)

    async def is_whole(self) -> bool:
        """All slots are covered, and each replica has what its primary has, as all servers see it."""
        for node in self.nodes:
            view = await self._view(node)
            healths = [each["health"] for shard in view.shards for each in shard.nodes]
            with_slots = [shard for shard in view.shards if shard.slots]
            if not view.whole or len(with_slots) != len(self.primaries) or {*healths} != {"online"}:
                return False
            if len(healths) != len(self.nodes):
                return False
        return True

    def stop(self) -> None:
        for node in self.nodes:
            if node.process:
                node.process.kill()
        for node in self.nodes:
            if node.process:
                node.process.wait()

    async def give(self, slot: int, to: ClusterNode) -> None:
        """Say that a slot is another server's, which takes nothing along that is in it."""
        for node in self.primaries:
            await node.ask("CLUSTER", "SETSLOT", slot, "NODE", to.number)

    async def owner(self, slot: int, witness: ClusterNode | None = None) -> ClusterNode:
        """Say who has a slot, as one of them sees it."""
        view = await self._view(witness or self.nodes[0])
        for shard in view.shards:
            if any(first <= slot <= last for first, last in shard.slots):
                primary = shard.primary()
                assert primary
                return next(node for node in self.nodes if node.port == int(primary["port"]))
        raise AssertionError(slot)

    async def reshard(self, many: int = 2_000, few: int = 20) -> None:
        """Move slots to another server: many at once, and a few with keys in them key by key."""
        source, target = await self.owner(0), await self.owner(SLOTS - 1)
        await source.ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 0, many - 1, "NODE", target.number)

        async def moved() -> bool:
            return await self.owner(many - 1, target) is target

        await until(moved, 60)
        for slot in range(many, SLOTS):
            if not few or await self.owner(slot) is not source:
                break
            if names := await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1_000):
                few -= 1
                await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.number)
                await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.number)
                for name in names:
                    await source.ask("MIGRATE", "127.0.0.1", target.port, name, 0, 5_000)
                for node in (target, source):
                    await node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.number)
        assert not few, "there were no keys to move"

    @staticmethod
    async def _view(node: ClusterNode) -> View:
        """Ask until it answers: a machine that is busy takes longer than a shop waits."""
        asked = ValkeyServer(node.url)

        async def seen() -> View | None:
            try:
                return await view_of(asked)
            except (TimeoutError, Unavailable):
                return None

        try:
            view = await until(seen)
            assert view
            return view
        finally:
            await asked.close()


@contextmanager
def one_valkey(folder: Path) -> Iterator[str]:
    """Run a server alone, as it might be on another machine; give its address."""
    port = free_port()
    words = [f"--port {port}", "--bind 127.0.0.1", f"--dir {folder}", "--save ''"]
    words += [f"--{name} {value}" for name, value in STORE.items()]
    process = subprocess.Popen([server(), *" ".join(words).split()], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port), 10)
        yield f"valkey://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def valkeys(folder: Path, primaries: int = 3, replicas: bool = False) -> AsyncIterator[Valkeys]:
    """Run a cluster for as long as it is looked at."""
    cluster = Valkeys(folder, primaries, replicas)
    try:
        await cluster.start()
        yield cluster
    finally:
        await asyncio.to_thread(cluster.stop)


@pytest.fixture(scope="session")
def three() -> Iterator[Valkeys]:
    """A cluster of three servers without replicas; one for all tests that kill none of them."""
    with tempfile.TemporaryDirectory(prefix="mercat-valkeys-") as folder:
        cluster = Valkeys(Path(folder), 3, replicas=False)
        try:
            asyncio.run(cluster.start())
            yield cluster
        finally:
            cluster.stop()
