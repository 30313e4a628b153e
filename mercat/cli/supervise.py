"""What `mercat serve` becomes: the supervisor and what it runs. Kept apart from the command line, which is
several times its size and would otherwise stay in memory for as long as the shop is open."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import NoReturn

from mercat.embedded import Connection, Home, Program, Supervisor, Trouble, programs

_MIGRATIONS = files("mercat") / "migrations"  # as a folder: the package would bring in the database driver
_FOR_COMMANDS = 40
WORKER = "mercat.cli.work"


@dataclass(frozen=True)
class ServeOptions:
    """The options of `mercat serve`."""

    data: str
    host: str
    port: int
    workers: int
    only: str = ""
    demo: bool = False
    probe_port: int = 0
    pool_size: int = 4

    def carry_out(self) -> NoReturn:
        """Replace the process that asks."""
        os.execv(sys.executable, [sys.executable, "-m", "mercat.cli.supervise", json.dumps(asdict(self))])


def serve(options: ServeOptions) -> int:
    """Run the shop until somebody stops it; return the exit code."""
    more = {"MERCAT_SERVICES": options.only} if options.only else {}
    if options.demo:
        more["MERCAT_DEV_PAGES"] = "true"
        more["MERCAT_REVIEW_REQUEST_DAYS"] = os.environ.get("MERCAT_REVIEW_REQUEST_DAYS", "0")
        more["MERCAT_SELLER_APPROVAL"] = os.environ.get("MERCAT_SELLER_APPROVAL", "auto")
    worker = (sys.executable, "-m", WORKER)
    sells = not options.only
    workers = [
        Program(f"web worker {n}", (*worker, "web"), more, sells, listens=True)
        for n in range(1, options.workers + 1)
    ]
    workers.append(Program("back worker", (*worker, "back"), more))
    before = [Program("migration", (sys.executable, "-m", "mercat", "migrate", "--quiet"), again=True)]
    if options.demo:
        before.append(Program("demo shop", (sys.executable, "-m", "mercat.cli.open_demo")))
    return Supervisor(
        Home(options.data),
        workers,
        before=before,
        host=options.host,
        port=options.port,
        probe_port=options.probe_port,
        settings={"max_connections": str(connections_for(options.workers, options.pool_size))},
        opened=lambda shop: welcome(shop, options.demo),
    ).run()


def connections_for(workers: int, pool_size: int) -> int:
    """Count the connections that PostgreSQL must allow: the pools of every service, one for each schema, in
    every web worker and in the back worker, and some for commands."""
    schemas = sum(each.is_dir() and not each.name.startswith("_") for each in _MIGRATIONS.iterdir())
    return (workers + 1) * schemas * pool_size + _FOR_COMMANDS


def welcome(shop: Connection, demo: bool) -> None:
    address = f"http://{shop.host}:{shop.port}"
    sys.stderr.write(f"\nThe shop is open: {address}  (Ctrl-C closes it)\n")
    sys.stderr.write(_TO_TRY.format(address=address) if demo else _EMPTY)
    if not demo and not _has_operator(shop):
        sys.stderr.write(_NO_OPERATOR)
    sys.stderr.flush()


def _has_operator(shop: Connection) -> bool:
    """Ask by psql, which costs this process no memory; True where that cannot be known."""
    asked = "select exists (select from accounts.person where 'operator' = any (roles))"
    answer = subprocess.run(
        [programs() / "psql", "-XAtc", asked],
        env={**os.environ, **shop.libpq()},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() != "f"


_TO_TRY = """
  Sign in, password mercat     ann@example.com  a shopper
                               bob@example.com  a seller, with {address}/desk
                               ops@example.com  the operator, with {address}/operator
  Try                          find something, put it in the cart, pay with a test card;
                               its confirmation is at {address}/dev/mail
  A flash sale                 {address}/flash/demo
  For machines                 {address}/api/v1/docs
"""
_EMPTY = "It is empty. Fill it: mercat import FILE…, or open it with --demo.\n"
_NO_OPERATOR = "Nobody runs it yet. Make the first operator: mercat operator create EMAIL\n"


if __name__ == "__main__":
    try:
        sys.exit(serve(ServeOptions(**json.loads(sys.argv[1]))))
    except Trouble as trouble:
        sys.exit(str(trouble))
