"""A shop under load while its parts die, stop, fill up or do not answer, one after another; and what
became of every order that a shopper was told of.

Shoppers arrive at a fixed rate, keep a connection each, and ask again with the same key until they are told
for good. Engines fail in a shop that takes its own test cards; the provider fails in a second shop, which
takes cards through Stripe's own library from a double of Stripe.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from time import perf_counter

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from mercat.embedded import Connection
from mercat.ids import CheckoutId, OrderId
from mercat.lab.bench.checkout import drained as drained
from mercat.lab.bench.crowd import PATIENCE_S, SETTLED_WITHIN_S, Crowd, crowded
from mercat.lab.bench.report import Report
from mercat.lab.bench.shop import audited, serving
from mercat.lab.bench.stripe_double import Fault as Befalls
from mercat.lab.bench.stripe_double import StripeDouble

log = structlog.get_logger("mercat.lab.bench")
BACK_WITHIN_S = 30
ENGINES = ("worker", "relay and followers", "valkey", "valkey loses its data", "postgres", "postgres paused")
FULL_DISK = "disk full"
PROVIDER = ("provider 5xx", "provider hangs", "provider cuts")
NAMES = (*ENGINES, FULL_DISK, *PROVIDER)
"""Each order there is two questions over HTTP, asked and answered on the same cores."""
_DISK_MB = 900
_LEFT_BYTES = 64 * 2**20


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one fault. `down_s`: the longest that nobody was told of an order; `back_s`: from the
    fault's end until orders came at half of the rate of before (none: not within 30 s)."""

    fault: str
    rate_per_s: float
    down_s: float
    back_s: float | None
    acknowledged: int
    lost: int
    doubled: int
    unanswered: int
    undocumented: int
    audit_violations: int
    answers: dict[str, int]
    """By status and code; `no connection` and `no answer` are not answers."""
    unlike: list[str]
    """The first of what no page of ours says."""

    def wrong(self) -> list[str]:
        """Say in words what must not be and is."""
        found = [
            f"{self.fault}: {count} {what}"
            for what, count in (
                ("acknowledged orders lost", self.lost),
                ("orders doubled", self.doubled),
                ("shoppers never told", self.unanswered),
                (f"questions without an answer in {PATIENCE_S:.0f} s", self.answers.get("no answer", 0)),
                ("undocumented answers", self.undocumented),
                ("laws broken", self.audit_violations),
            )
            if count
        ]
        if self.back_s is None or self.back_s > BACK_WITHIN_S:
            found.append(f"{self.fault}: not back within {BACK_WITHIN_S} s")
        return found


class Site:
    """Where faults happen: a shop, and what it is made of."""

    def __init__(self, connection: Connection, double: StripeDouble | None = None, disk: Path | None = None):
        self.connection = connection
        self.double = double
        self.disk = disk

    def victim(self, what: str) -> int:
        """Find the eldest process of the shop whose command line says so."""
        root = self.connection.supervisor
        return min(pid for pid, said in family(root).items() if what in said and pid != root)


def family(root: int) -> dict[int, str]:
    """Map a process and all below it: number to command line."""
    told = subprocess.run(["ps", "-ewwo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in told.stdout.splitlines()]
    below: dict[int, list[int]] = {}
    said: dict[int, str] = {}
    for pid, parent, *rest in rows:
        below.setdefault(int(parent), []).append(int(pid))
        said[int(pid)] = rest[0] if rest else ""
    found, waiting = {root: said.get(root, "")}, [root]
    while waiting:
        for pid in below.get(waiting.pop(), []):
            found[pid] = said[pid]
            waiting.append(pid)
    return found


@asynccontextmanager
async def _killed(site: Site, what: str) -> AsyncGenerator[None]:
    os.kill(site.victim(what), signal.SIGKILL)
    yield


@asynccontextmanager
async def emptied(site: Site) -> AsyncGenerator[None]:
    """Remove what Valkey wrote before it starts again."""
    victim = site.victim("store.sock")
    shutil.rmtree(Path(site.connection.data, "store", "appendonlydir"))
    os.kill(victim, signal.SIGKILL)
    yield


@asynccontextmanager
async def _paused(site: Site) -> AsyncGenerator[None]:
    """Every process of PostgreSQL: the postmaster first, so that no new one comes."""
    postmaster = site.victim("bin/postgres")
    os.kill(postmaster, signal.SIGSTOP)
    stopped = list(family(postmaster))
    for pid in stopped:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def _full(site: Site) -> AsyncGenerator[None]:
    """To the last block, and again and again while the shop lets go of some."""
    assert site.disk
    disk = site.disk

    async def keep_full() -> None:
        while True:
            await asyncio.to_thread(fill, disk / "last")
            await asyncio.sleep(0.1)

    filling = asyncio.create_task(keep_full())
    try:
        yield
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        for ballast in ("last", "ballast"):
            (disk / ballast).unlink(missing_ok=True)


def fill(file: Path, leave: int = 0) -> None:
    """Write until so many bytes are left, or none."""
    block = b"\0" * 2**20
    with file.open("ab", buffering=0) as ballast, suppress(OSError):
        while shutil.disk_usage(file.parent).free > leave or not leave:
            if not ballast.write(block):  # before the last block it takes what there is room for
                return


@asynccontextmanager
async def _befallen(site: Site, by: Sequence[Befalls]) -> AsyncGenerator[None]:
    """Before it was done, and after it was done."""
    assert site.double
    site.double.befalls = tuple(by)
    try:
        yield
    finally:
        site.double.end()


Begin = Callable[[Site], AbstractAsyncContextManager[None]]
_FAULTS: dict[str, tuple[Begin, bool]] = {
    "worker": (partial(_killed, what="mercat.cli.work web"), False),
    "relay and followers": (partial(_killed, what="mercat.cli.work back"), False),
    "valkey": (partial(_killed, what="store.sock"), False),
    "valkey loses its data": (emptied, False),
    "postgres": (partial(_killed, what="bin/postgres"), False),
    "postgres paused": (_paused, True),
    "disk full": (_full, True),
    "provider 5xx": (partial(_befallen, by=("500", "late 500")), True),
    "provider hangs": (partial(_befallen, by=("hang",)), True),
    "provider cuts": (partial(_befallen, by=("cut", "lost")), True),
}
"""How each begins, and whether it lasts (or is over at once)."""


async def suffer(site: Site, crowd: Crowd, fault: str, before_s: float, lasts_s: float) -> Outcome:
    """One fault under load, from a while before it until everything has settled."""
    begin, lasts = _FAULTS[fault]
    told, answers, undocumented = len(crowd.told), Counter(crowd.answers), crowd.undocumented
    crowd.unlike.clear()
    opened = perf_counter()
    crowd.come()
    await asyncio.sleep(before_s)
    usual = crowd.rate_since(opened + before_s / 3, perf_counter())
    began = perf_counter()
    async with begin(site):
        if lasts:
            await asyncio.sleep(lasts_s)
    ended = perf_counter()
    back = None
    while back is None and perf_counter() < ended + BACK_WITHIN_S + 1:
        await asyncio.sleep(0.1)
        back = crowd.back_at(ended, usual / 2)
    unanswered = await crowd.have_been_served()
    await settled(site.connection)
    lost, doubled = await missing(site, crowd)
    violations = sum(finding.violations for finding in await audited(site.connection))
    return Outcome(
        fault=fault,
        rate_per_s=round(usual, 1),
        down_s=round(crowd.longest_silence(began, back or perf_counter()), 2),
        back_s=None if back is None else round(back - ended, 2),
        acknowledged=len(crowd.told) - told,
        lost=lost,
        doubled=doubled,
        unanswered=unanswered,
        undocumented=crowd.undocumented - undocumented,
        audit_violations=violations,
        answers=dict(sorted((crowd.answers - answers).items())),
        unlike=list(crowd.unlike),
    )


async def settled(connection: Connection) -> None:
    """Until no purchase is under way, and followers have read all."""
    db = await asyncpg.connect(**connection.postgres())
    try:
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while await db.fetchval("select count(*) from checkout.running"):
                await asyncio.sleep(0.1)
    finally:
        await db.close()


async def missing(site: Site, crowd: Crowd) -> tuple[int, int]:
    """Of all that shoppers were ever told: what is not in the books; and what is there or paid twice."""
    db = await asyncpg.connect(**site.connection.postgres())
    rows = await db.fetch(
        "select c.key, o.order_id, c.checkout_id from orders.orders o"
        " join checkout.checkout c using (checkout_id) where o.status <> 'refused'"
    )
    paid_back = await db.fetchval(
        "select count(*) from payments.payment where refunded = amount and amount > 0"
    )
    await db.close()
    orders = {row["key"]: str(OrderId(row["order_id"])) for row in rows}
    lost = sum(orders.get(key) != order for key, order in crowd.told.items())
    doubled = len(rows) - len(orders)
    if site.double:  # the provider's own books: one captured charge an order, or it was given back
        charged = Counter(intent["metadata"]["checkout"] for intent in site.double.captured())
        bought = {str(CheckoutId(row["checkout_id"])) for row in rows}
        doubled += sum(times - 1 for times in charged.values())
        doubled += max(0, len(charged.keys() - bought) - paid_back)
        lost += len(bought - charged.keys())
    return lost, doubled


def with_stripe(url: str, timeout_s: float = 8) -> Mapping[str, str]:
    """Make the settings of a shop that takes cards through Stripe's library, from this double."""
    return {
        "MERCAT_PAYMENT_PROVIDER": "stripe",
        "MERCAT_STRIPE_KEY": "sk_test_double",
        "MERCAT_STRIPE_URL": url,
        "MERCAT_PROVIDER_TIMEOUT_S": str(timeout_s),
    }


@asynccontextmanager
async def small_disk(folder: Path) -> AsyncGenerator[bool]:
    """Mount a file system of its own at this folder, where the caller may; say whether it is there."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m,mode=755", "mercat-faults", str(folder)]
    tried = await asyncio.to_thread(subprocess.run, mount, capture_output=True)
    mounted = tried.returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            await asyncio.to_thread(subprocess.run, ["umount", "-l", str(folder)], check=True)


async def faults(seconds: float, rate: float = 1_000, fault: Sequence[str] = ()) -> Report:
    """`seconds`: how long a fault lasts that is not over at once. `fault`: these alone (none: all)."""
    outcomes: list[Outcome] = []
    skipped: list[str] = []
    crowds: list[Crowd] = []

    async def shop(names: Sequence[str]) -> None:
        """Open a shop of its own for these faults, and note what became of each."""
        wanted = [name for name in names if not fault or name in fault]
        if not wanted:
            return
        async with AsyncExitStack() as stack:
            folder, double, card = _folder(stack), None, "tok_visa"
            more: Mapping[str, str] = {}
            if FULL_DISK in wanted and not await stack.enter_async_context(small_disk(folder)):
                skipped.append(f"{FULL_DISK}: a small file system could not be mounted (needs root)")
                return
            if names is PROVIDER:
                double = StripeDouble()
                more = with_stripe(await stack.enter_async_context(double.serving()))
                card = "pm_card_visa"
            connection = await stack.enter_async_context(serving(folder, more=more))
            crowd = await stack.enter_async_context(crowded(connection, rate, card, more=more))
            crowds.append(crowd)
            for name in wanted:
                if name == FULL_DISK:
                    await asyncio.to_thread(fill, folder / "ballast", _LEFT_BYTES)
                site = Site(connection, double, folder)
                outcomes.append(await suffer(site, crowd, name, max(seconds / 2, 2.0), seconds))
                log.info("a fault is over", **msgspec.to_builtins(outcomes[-1]))

    for names in (ENGINES, (FULL_DISK,), PROVIDER):
        await shop(names)
    took = sorted(at - began for crowd in crowds for began, at in crowd.acknowledged)
    carried = [outcome.rate_per_s for outcome in outcomes]
    mean = sum(carried) / max(len(carried), 1)
    return Report(
        name="faults",
        rate_per_s=mean,
        floor_per_s=rate,
        ratio=mean / rate,
        p50_ms=took[len(took) // 2] * 1_000 if took else 0.0,
        p99_ms=took[len(took) * 99 // 100] * 1_000 if took else 0.0,
        audit_violations=sum(outcome.audit_violations for outcome in outcomes),
        more={
            "faults": [msgspec.to_builtins(outcome) for outcome in outcomes],
            "skipped": skipped,
            "wrong": [wrong for outcome in outcomes for wrong in outcome.wrong()],
        },
    )


def _folder(stack: AsyncExitStack) -> Path:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mercat-bench-")))
    folder.chmod(0o755)
    return folder
