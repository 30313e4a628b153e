"""How many charges at Stripe a worker holds at once.

    python -m mercat.lab.bench.stripe_charges [SECONDS]

The real service on a real database, with Stripe's double at 100 ms an answer in a process of its own. A
charge is two requests, so 200 ms at best; what more it takes is ours. For so many at once it prints charges a
second, what the wait alone would allow, the middle and the worst of their times, how late the event loop was,
and the processor time of each. Last result: docs/performance.md.
"""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import AsyncExitStack

import asyncpg
import msgspec
import uvloop

from mercat import ids, settings
from mercat.embedded import engines, temporary
from mercat.kit.host import Host
from mercat.migrations import migrate
from mercat.payments import Charge, Payments, SellerPart
from mercat.settings import Secret
from mercat.shop import make_payments

DELAY_S = 0.1


def charge() -> Charge:
    return Charge(
        checkout_id=ids.new(ids.CheckoutId),
        order_id=ids.new(ids.OrderId),
        amount=2_624,
        currency="USD",
        token="pm_card_visa",
        sellers=[SellerPart(ids.SellerId(7), 2_000)],
        shipping=499,
        tax=125,
    )


async def measure(payments: Payments, at_once: int, seconds: float) -> dict[str, float]:
    """Charge for so many seconds, with so many charges at once."""
    took: list[float] = []
    late: list[float] = []
    end = time.perf_counter() + seconds

    async def one(n: int) -> None:
        await asyncio.sleep(2 * DELAY_S * n / at_once)  # not all in step
        while time.perf_counter() < end:
            began = time.perf_counter()
            await payments.charge(charge())
            took.append(time.perf_counter() - began)

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            late.append(time.perf_counter() - began - 0.01)

    watching = asyncio.create_task(watch())
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one(n) for n in range(at_once)))
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu
    watching.cancel()
    took.sort()
    late.sort()
    return {
        "at_once": at_once,
        "charges_per_s": round(len(took) / spent),
        "wait_alone_allows": round(at_once / (2 * DELAY_S)),
        "p50_ms": round(took[len(took) // 2] * 1_000),
        "p99_ms": round(took[len(took) * 99 // 100] * 1_000),
        "loop_late_p99_ms": round(late[len(late) * 99 // 100] * 1_000, 1),
        "cpu_ms_per_charge": round(cpu * 1_000 / len(took), 2),
        "cpu_share": round(cpu / spent, 2),
    }


async def main(seconds: float) -> None:
    command = [sys.executable, "-m", "mercat.lab.bench.stripe_double", "0", str(DELAY_S)]
    with (
        temporary() as home,
        engines(home) as shop,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as double,  # noqa: ASYNC220  - one start
    ):
        assert double.stdout
        url = double.stdout.readline().strip()
        chosen = msgspec.structs.replace(
            settings.load(shop.environment()),
            payment_provider="stripe",
            variables={"stripe_key": Secret("sk_test_double"), "stripe_url": Secret(url)},
        )
        owner = await asyncpg.connect(**shop.postgres())
        await migrate(owner, chosen)
        async with AsyncExitStack() as stack:
            host = Host(chosen, stack)
            payments = make_payments(host, await host.pool("payments"))
            for at_once in (1, 10, 50, 100, 200, 500, 1_000):
                figures = await measure(payments, at_once, seconds)
                connections = await owner.fetchval(
                    "select count(*) from pg_stat_activity where usename like 'mercat_%'"
                )
                sys.stdout.write(json.dumps(figures | {"connections": connections}) + "\n")
                sys.stdout.flush()
        await owner.close()
        double.terminate()


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5))
