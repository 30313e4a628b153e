"""Seeds one after another, on engines of the simulator's own or in a database that is there."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from hashlib import blake2b
from random import Random
from time import perf_counter
from typing import Any

import asyncpg
import msgspec

from mercat.embedded import engines, temporary
from mercat.lab.simulate.faults import MOMENTS, Point
from mercat.lab.simulate.laws import PROMISES
from mercat.lab.simulate.mutations import MUTATIONS
from mercat.lab.simulate.run import Run
from mercat.lab.simulate.shuffled import PartitionOf, ShuffledLog
from mercat.lab.simulate.stage import Stage
from mercat.migrations import migrate
from mercat.settings import Secret, Settings, load

_CONSTRAINT = (
    "select pg_get_constraintdef(oid) from pg_constraint where conrelid = $1::text::regclass and conname = $2"
)


async def simulate(seed: int, seeds: int, plant: str | None = None) -> dict[str, Any]:
    """Run seeds one after another on engines of its own; stop at the first that breaks a law."""
    with temporary() as home, engines(home) as connection:
        settings = load(connection.environment())
        owner = await asyncpg.connect(**connection.postgres())
        try:
            await migrate(owner, settings)
            async with without_constraints(owner, plant):
                return await sweep(settings, seed, seeds, plant)
        finally:
            await owner.close()


@asynccontextmanager
async def without_constraints(owner: Any, plant: str | None) -> AsyncGenerator[None]:
    """Drop the constraints that would stop this bug by themselves, in the simulator's own database; new rows
    obey them again afterwards."""
    dropped = [drop.split() for drop in (MUTATIONS[plant].drops if plant else ())]
    answer = [await owner.fetchval(_CONSTRAINT, table, name) for table, name in dropped]
    for table, name in dropped:
        await owner.execute(f"alter table {table} drop constraint {name}")
    try:
        yield
    finally:
        for (table, name), definition in zip(dropped, answer, strict=True):
            await owner.execute(f"alter table {table} add constraint {name} {definition} not valid")


async def sweep(
    settings: Settings,
    seed: int,
    seeds: int,
    plant: str | None = None,
    partition_of: PartitionOf | None = None,
) -> dict[str, Any]:
    """Run seeds one after another in a database that is there. `partition_of`: followers get the events of
    different partitions in any order."""
    settings = msgspec.structs.replace(settings, variables={"sandbox_hang_s": Secret("0")})
    met: set[Point] = set()
    passed: set[str] = set()
    bought = refused = ran = largest_set = 0
    promised: Counter[str] = Counter()
    found: dict[str, Any] = {}
    digest = blake2b(digest_size=8)
    since = perf_counter()
    async with (
        AsyncExitStack() as stack,
        Stage.set(settings, stack, MUTATIONS[plant] if plant else None) as stage,
    ):
        for number in range(seed, seed + seeds):
            if partition_of:
                for back in stage.backs:
                    back.shuffled = partial(ShuffledLog, partition_of=partition_of, dice=Random(number))
            run = Run(stage, number)
            broken = await run.through()
            met |= run.plan.met
            passed |= run.plan.passed
            promised.update(promise.what for promise in run.promised)
            ran, bought, refused = ran + 1, bought + run.bought, refused + run.refused
            largest_set = max(largest_set, run.largest_set)
            digest.update("\n".join(stage.turns.trace).encode())
            if broken:
                found = {"found_at_seed": number, "broken": broken}
                break
    return {
        "seeds": ran,
        "crash_points": len(met),
        "violations": len(found.get("broken", ())),
        **found,
        "plant": plant,
        "bought": bought,
        "refused": refused,
        "largest_set": largest_set,
        **{what: promised[what] for what in PROMISES},
        "possible_crash_points": len(passed) * len(MOMENTS),
        "points": len({point.name for point in met}),
        "possible_points": len(passed),
        "seconds": round(perf_counter() - since, 2),
        "run": digest.hexdigest(),
    }
