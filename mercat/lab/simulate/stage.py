"""Two processes that sell and one that recovers, whose statements and calls all go through the simulator."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

import asyncpg
import msgspec

from mercat.app import build_shop
from mercat.cart import Spent
from mercat.checkout import purchases
from mercat.flashsale import ADMIT, REMOVE, gate_key
from mercat.ids import PromotionId
from mercat.kit import batching
from mercat.kit.clock import clock
from mercat.kit.refusals import Overloaded
from mercat.lab.simulate.faults import SimulatedProcess
from mercat.lab.simulate.followers import BackWorker
from mercat.lab.simulate.mutations import Mutation
from mercat.lab.simulate.turns import Turns
from mercat.settings import Settings

T = TypeVar("T")
_SETS = 1_000
"""On their way at a time: one that sleeps must not keep others from working."""


class Stage:
    """Two processes that sell and one that recovers, for all seeds: opening them takes longer than a seed."""

    def __init__(
        self,
        settings: Settings,
        turns: Turns,
        processes: list[SimulatedProcess],
        backs: list[BackWorker],
        reader: asyncpg.Connection,
    ) -> None:
        self.settings = settings
        self.backs = backs
        self.turns = turns
        self.one, self.two, self.recovery = processes
        self.processes = processes
        self.reader = reader
        self.promotion: PromotionId | None = None
        """The one that stands for this seed."""

    @classmethod
    @asynccontextmanager
    async def set(
        cls, settings: Settings, stack: AsyncExitStack, mutation: Mutation | None
    ) -> AsyncGenerator["Stage"]:
        """Build the processes, and take what waits by the machine's clock out of their way."""
        settings = msgspec.structs.replace(settings, purchase_sets=_SETS)
        turns = Turns()
        turns.free = True
        processes: list[SimulatedProcess] = []
        for name in ("one", "two", "recovery"):
            shop = await build_shop(settings, stack)
            if not processes:
                await shop.host.lease_worker()
            process = SimulatedProcess(name, shop, turns, mutation)
            guest = (await shop.accounts.guest()).user_id  # its first cart teaches a Valkey the scripts
            await shop.cart.spend_many([Spent(guest, (await shop.cart.basket(guest)).cart_id, [])])
            await shop.host.store.run(ADMIT, [gate_key("nobody")], [1])
            await shop.host.store.run(REMOVE, [gate_key("nobody")], [])
            processes.append(process)
        backs = [await BackWorker.of(process) for process in reversed(processes[1:])]
        reader = await asyncpg.connect(
            **settings.database(), user="mercat_audit", password=settings.secret("mercat_audit")
        )
        stack.push_async_callback(reader.close)
        # Turns are given here by the seed; who sleeps must not keep others from working.
        semaphores = vars(batching)["_semaphores"]
        semaphores[asyncio.get_running_loop()] = batching.PrioritySemaphore(1_000)
        patiently = purchases.patiently

        async def at_once(step: Callable[[], Awaitable[T]], seconds: float) -> T:
            for _ in range(4):
                try:
                    return await step()
                except Overloaded:
                    continue
            return await step()

        purchases.patiently = at_once
        try:
            yield cls(settings, turns, processes, backs, reader)
        finally:
            purchases.patiently = patiently
            clock.drive(None)
