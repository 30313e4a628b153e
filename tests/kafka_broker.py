"""A real Kafka broker for tests, where `make kafka` has prepared one; it can be killed and goes on."""

import atexit
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

RUN = Path(__file__).parents[1] / ".kafka" / "run"
STARTS_WITHIN_S = 150
_number = itertools.count(1)


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


class Broker:
    """One broker that ends with this process, and sooner when told."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mercat-kafka-"))
        self._ports = [str(free_port()), str(free_port())]
        self._process: subprocess.Popen | None = None
        self.address = f"127.0.0.1:{self._ports[0]}"
        self.start()
        atexit.register(self._end)

    def start(self) -> None:
        said = (self._folder / "said").open("ab")
        self._process = subprocess.Popen([RUN, self._folder, *self._ports], stdout=said, stderr=said)

    def answers(self) -> None:
        """Wait until it answers."""
        until = time.monotonic() + STARTS_WITHIN_S
        asked = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        while True:
            assert self._process
            if self._process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"Kafka does not start: {(self._folder / 'said').read_text()[-2_000:]}")
            try:
                asked.list_topics(timeout=1)
                return
            except KafkaException:
                continue

    def die(self) -> None:
        """As after `kill -9`."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def new_topic(self) -> str:
        """A name that no shop had."""
        return f"shop-{os.getpid()}-{next(_number)}"

    def _end(self) -> None:
        self.die()
        shutil.rmtree(self._folder, ignore_errors=True)


@cache
def broker() -> Broker:
    if not RUN.exists():
        pytest.skip("Kafka is not prepared (make kafka; needs Java 17+ and Maven)")
    started = Broker()
    started.answers()
    return started
