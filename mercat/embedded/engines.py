"""The three engines of one machine, together."""

import contextlib
import os
from collections.abc import Generator, Mapping

from mercat.embedded.engine import Engine, wait_ready
from mercat.embedded.home import OWNER, PORT, Connection, Home
from mercat.embedded.postgres import Postgres
from mercat.embedded.valkey import CACHE, STORE, Valkey


class Engines:
    def __init__(self, home: Home, settings: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.postgres = Postgres(home, settings)
        self.store = Valkey(home, "store", STORE)
        self.cache = Valkey(home, "cache", CACHE)
        self.all: list[Engine] = [self.store, self.cache, self.postgres]

    def start(self) -> None:
        """Start them; they may not be ready yet. Needs the lock of the home."""
        self.home.check_space()
        for engine in self.all:
            engine.start()

    def connection(self, host: str = "", port: int = 0, processes: int = 0) -> Connection:
        return Connection(
            data=str(self.home.path),
            secret_key=self.home.key,
            postgres_host=str(self.postgres.sockets),
            postgres_port=PORT,
            postgres_database=OWNER,
            store_url=self.store.url,
            cache_url=self.cache.url,
            supervisor=os.getpid(),
            host=host,
            port=port,
            processes=processes,
        )

    def stop(self) -> None:
        for engine in self.all:
            engine.ask_to_stop()
        for engine in self.all:
            engine.wait_stopped()
        self.home.drop_sockets()


@contextlib.contextmanager
def engines(
    home: Home, purpose: str = "another command", settings: Mapping[str, str] | None = None
) -> Generator[Connection]:
    """PostgreSQL and both Valkeys for as long as the block runs; `settings` are PostgreSQL's.

    Nobody restarts them here. Called in the main thread, they end with this process even when it is killed.
    """
    with home.lock(purpose):
        group = Engines(home, settings)
        try:
            group.start()
            wait_ready(group.all)
            connection = group.connection()
            home.announce(connection)
            yield connection.where_it_is()
        finally:
            group.stop()


@contextlib.contextmanager
def connected(home: Home, purpose: str = "another command") -> Generator[Connection]:
    """Connect to the shop that runs on this home, else start engines for as long as the block runs."""
    if running := home.running():
        yield running
    else:
        with engines(home, purpose) as connection:
            yield connection
