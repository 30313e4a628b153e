"""One process of the shop: `python -m mercat.cli.work web` answers requests, `… back` does the rest."""

import asyncio
import gc
import os
import resource
import signal
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import uvloop

if TYPE_CHECKING:
    from granian.server.embed import Server

    from mercat.kit.host import Duty
    from mercat.shop import Shop

_NICENESS = 5
"""Of the back process: shoppers come first on a full machine, and its batches grow instead."""
_CONNECTIONS_MAX = 16_384
"""Of a worker, as far as the system gives it files: an idle one costs little, and must keep nobody out."""
_SETTLES_S = 10
_COMPLAINS_EVERY_S = 60
_PACKAGE = Path(__file__).parents[1]


def _share_metrics(data: Path) -> None:
    """Keep the metrics of all processes in one folder, so that any of them can show all."""
    folder = data / "metrics"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(folder))


def public_server(app: Any, host: str, port: int) -> "Server":
    """Make the server of a web process, for an ASGI application."""
    from granian.constants import Interfaces
    from granian.server.embed import Server

    return Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
        backlog=2_048,
        backpressure=_CONNECTIONS_MAX,
    )


async def _web(stop: asyncio.Event) -> None:
    from mercat import settings
    from mercat.app import build_shop, internal_app, public_app
    from mercat.embedded import ready
    from mercat.kit.host import for_ever

    told = settings.load()
    async with AsyncExitStack() as stack:
        shop = await build_shop(told, stack)
        await shop.host.lease_worker()
        app = internal_app(shop) if told.only() else await public_app(shop)
        server = public_server(app, told.host, told.port)
        serving = asyncio.create_task(server.serve())
        _collect_seldom()
        if told.only():
            ready()
        else:
            shop.host.start(for_ever("readiness", _readiness_of(shop)))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            shop.host.closing.set()
            server.stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(8):
                    await serving


def _readiness_of(shop: "Shop") -> "Duty":
    """Make the duty of telling the supervisor, each second, whether the shop can sell."""
    import structlog

    from mercat.app import ready
    from mercat.embedded import Readiness

    readiness = Readiness()
    log = structlog.get_logger("mercat.readiness")
    silent_until = monotonic() + _SETTLES_S

    async def tell() -> None:
        nonlocal silent_until
        parts = await ready(shop)
        can = all(parts.values())
        readiness.tell(can)
        if not can and monotonic() > silent_until:
            silent_until = monotonic() + _COMPLAINS_EVERY_S
            log.warning("the shop cannot sell", away=[name for name, well in parts.items() if not well])
        await asyncio.sleep(1 if can else 0.2)

    return tell


async def _back(stop: asyncio.Event) -> None:
    os.nice(_NICENESS)
    from mercat import settings
    from mercat.app import build_shop
    from mercat.embedded import ready
    from mercat.shop import run_background

    async with AsyncExitStack() as stack:
        shop = await build_shop(settings.load(), stack)
        await shop.host.lease_worker()
        await run_background(shop)
        _collect_seldom()
        ready()
        await stop.wait()


def _collect_seldom() -> None:
    """Collect garbage seldom: looking through what was made at the start again and again cost a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _run(part: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    from mercat import settings

    work = (_web if part == "web" else _back)(stop)
    await (asyncio.gather(work, _stop_at_changes(stop)) if settings.load().reload else work)


async def _stop_at_changes(stop: asyncio.Event) -> None:
    """Stop when a file of the package changes; the supervisor starts this process again with what is new."""
    import watchfiles

    watch: Any = watchfiles
    async for _ in watch.awatch(_PACKAGE, stop_event=stop):
        stop.set()


def main() -> None:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    if part not in ("web", "back"):
        raise SystemExit("usage: python -m mercat.cli.work web|back")
    _share_metrics(Path(os.environ.get("MERCAT_DATA", "data")))
    from mercat import settings
    from mercat.kit.metrics import set_up_logs

    set_up_logs(settings.load().log_level)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(_run(part))


if __name__ == "__main__":
    main()
