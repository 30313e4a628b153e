"""One process of the shop: `python -m mercat.cli.work web` answers requests, `… back` does the rest.

With `--alone`, as `mercat work` runs it, it has no supervisor: it answers probes and shows its own metrics,
and the relay is a process of its own."""

import asyncio
import atexit
import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import uvloop

if TYPE_CHECKING:
    from granian.server.embed import Server

    from mercat.kit.host import Duty
    from mercat.settings import Settings
    from mercat.shop import Shop
    from mercat.web import Connections, LastAnswers

_NICENESS = 5
"""Of the back process: shoppers come first on a full machine, and its batches grow instead."""
_CONNECTIONS_MAX = 16_384
"""Of a worker, as far as the system gives it files: an idle one costs little, and must keep nobody out."""
_SETTLES_S = 10
_DRAINS_S = 6
_CLOSES_S = 8
ENDS_WITHIN_S = _DRAINS_S + _CLOSES_S
"""From SIGTERM on: what runs us must not kill a web process before."""
_IDLE_S = 1.0
"""A connection that has been silent for so long is closed; who uses it again opens another."""
_COMPLAINS_EVERY_S = 60
_PACKAGE = Path(__file__).parents[1]


def _share_metrics(data: Path) -> None:
    """Keep the metrics of all processes in one folder, so that any of them can show all."""
    folder = data / "metrics"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(folder))


def public_server(app: Any, told: "Settings", listener: int | None = None) -> "Server":
    """Make the server of a web process, for an ASGI application, on a socket that listens already if there is
    one."""
    from granian.constants import Interfaces, SSLProtocols

    from mercat.kit.patches import server_on

    return server_on(listener)(
        app,
        address=told.host,
        port=told.port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
        backlog=2_048,
        backpressure=_CONNECTIONS_MAX,
        ssl_cert=Path(told.tls_certificate) if told.tls_certificate else None,
        ssl_key=Path(told.tls_key) if told.tls_key else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )


async def _web(stop: asyncio.Event, told: "Settings") -> None:
    from mercat.app import build_shop, internal_app, public_app
    from mercat.embedded import handed_listener, ready
    from mercat.kit import tracing
    from mercat.kit.host import for_ever
    from mercat.web import Connections, LastAnswers, Proxies

    async with AsyncExitStack() as stack:
        shop = await build_shop(told, stack)
        await shop.host.lease_worker()
        answering = internal_app(shop) if told.only() else await public_app(shop)
        # Only other processes of this shop reach services that are alone.
        may_say = _anybody if told.only() else Proxies(told.proxies).own
        app = LastAnswers(tracing.TracedDoor(answering, may_say) if tracing.tracer else answering)
        connections = Connections(told.port, 0, Proxies(""), loopback=True)
        server = public_server(app, told, handed_listener())
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
            await _drain(app, connections)
            server.stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSES_S):
                    await serving


def _anybody(_: str) -> bool:
    return True


async def _drain(app: "LastAnswers", connections: "Connections") -> None:
    """Lose no request: take no new connection, and make each answer the last on its connection.

    What is not asked on is closed once it has been silent for a second."""
    connections.stop_accepting()
    app.last = True
    try:
        async with asyncio.timeout(_DRAINS_S):
            while app.answering or connections.used_within(_IDLE_S):  # noqa: ASYNC110  - the kernel knows
                await asyncio.sleep(0.05)
    except TimeoutError:
        return


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


async def _back(stop: asyncio.Event, told: "Settings", *, alone: bool) -> None:
    """Run followers and duties; the relay too, unless the process is `alone`: then that is another one."""
    os.nice(_NICENESS)
    from mercat.app import build_shop
    from mercat.cli.looking_after import LookingAfter
    from mercat.embedded import ready
    from mercat.kit.host import for_ever
    from mercat.shop import run_background

    async with AsyncExitStack() as stack:
        shop = await build_shop(told, stack)
        await shop.host.lease_worker()
        await run_background(shop, relays=not alone)
        shop.host.start(for_ever("pictures for the archive", LookingAfter(shop).keep_looking))
        if "analytics" in shop.host.here:
            shop.host.start(for_ever("answers to web workers", lambda: _answer_on_socket(shop)))
        if alone:
            shop.host.start(_answer_probes(shop))
        _collect_seldom()
        ready()
        await stop.wait()


async def _relay(stop: asyncio.Event, told: "Settings") -> None:
    """Run the relay and nothing else: it needs no service."""
    from mercat.app import bare_shop
    from mercat.shop import run_background

    async with AsyncExitStack() as stack:
        shop = bare_shop(told, stack)
        await run_background(shop, follows=False)
        shop.host.start(_answer_probes(shop))
        _collect_seldom()
        await stop.wait()


async def _answer_probes(shop: "Shop") -> None:
    """Answer other processes on the port: probes, and who asks for a service that is here."""
    from mercat.app import internal_app

    server = public_server(internal_app(shop), shop.settings)
    try:
        await server.serve()
    finally:
        server.stop()


async def _answer_on_socket(shop: "Shop") -> None:
    """Answer the other processes of this machine what only this one can: its file has one owner."""
    from granian.constants import Interfaces
    from granian.server.embed import Server
    from starlette.applications import Starlette

    from mercat.analytics import KEEPER_API, Analytics, socket_of
    from mercat.kit.neighbours import NeighbourDoor, call_key
    from mercat.kit.stand_ins import path_of, serve_asks

    socket = socket_of(shop.settings)
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)  # of who had it before: there is one back process
    here = cast(Analytics, shop.host.here["analytics"])
    app = NeighbourDoor(
        Starlette(routes=serve_asks(KEEPER_API, here.keeper)),
        call_key(shop.settings),
        bytes_max={path_of(verb): verb.bytes_max for verb in KEEPER_API},
    )
    server = Server(app, uds=socket, interface=Interfaces.ASGINL, websockets=False, log_enabled=False)
    try:
        await server.serve()
    finally:
        server.stop()


def _collect_seldom() -> None:
    """Collect garbage seldom: looking through what was made at the start again and again cost a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _run(part: str, *, alone: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    from mercat import settings
    from mercat.kit import tracing

    told = settings.load()
    tracing.set_up(told, part)
    work = {
        "web": lambda: _web(stop, told),
        "back": lambda: _back(stop, told, alone=alone),
        "relay": lambda: _relay(stop, told),
    }[part]()
    await (asyncio.gather(work, _stop_at_changes(stop)) if told.reload else work)
    tracing.shut_down()


async def _stop_at_changes(stop: asyncio.Event) -> None:
    """Stop when a file of the package changes; the supervisor starts this process again with what is new."""
    import watchfiles

    watch: Any = watchfiles
    async for _ in watch.awatch(_PACKAGE, stop_event=stop):
        stop.set()


def main() -> None:
    part, *more = sys.argv[1:] or [""]
    if part not in ("web", "back", "relay") or more not in ([], ["--alone"]):
        raise SystemExit("usage: python -m mercat.cli.work web|back|relay [--alone]")
    if more:
        folder = tempfile.mkdtemp(prefix="mercat-metrics-")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    else:
        _share_metrics(Path(os.environ.get("MERCAT_DATA", "data")))
    from mercat import settings
    from mercat.kit.metrics import set_up_logs

    try:
        told = settings.load()
        if more:
            from mercat.shop import check_alone

            check_alone(told)
    except settings.WrongSetting as wrong:
        raise SystemExit(str(wrong)) from None
    set_up_logs(told.log_level)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(_run(part, alone=bool(more)))


if __name__ == "__main__":
    main()
