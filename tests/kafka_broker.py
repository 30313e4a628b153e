"""A real Kafka broker for tests, where `make kafka` has prepared one; it can be killed and goes on."""

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from certificates import write_certificate
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from mercat.lab.bench.shop import free_port

RUN = Path(__file__).parents[1] / ".kafka" / "run"
STARTS_WITHIN_S = 150
_number = itertools.count(1)


SECURE = """
listeners=SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_SSL://127.0.0.1:{port}
inter.broker.listener.name=SASL_SSL
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\\
    org.apache.kafka.common.security.scram.ScramLoginModule required username="{user}" password="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={folder}/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/certificate.pem
"""


class Broker:
    """One broker that ends with this process, and sooner when told. `secure`: it takes connections over TLS
    alone, of a user with a password (SCRAM-SHA-512)."""

    user, password = "mercat", "a+b/c"

    def __init__(self, *, secure: bool = False, ports: Sequence[int] = (), more: str = "") -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mercat-kafka-"))
        self._ports = [str(port) for port in ports or (free_port(), free_port())]
        self._process: subprocess.Popen | None = None
        self.address = f"127.0.0.1:{self._ports[0]}"
        self.certificate = self._folder / "certificate.pem"
        self._more = self._secured() if secure else self._told(more) if more else {}
        self.start()
        atexit.register(self._end)

    def _secured(self) -> dict[str, str]:
        certificate, key = write_certificate(self._folder, "localhost")
        (self._folder / "keystore.pem").write_text(key.read_text() + certificate.read_text())
        port, controller = self._ports
        where = {"port": port, "controller": controller, "folder": self._folder}
        told = SECURE.format(**where, user=self.user, password=self.password)
        known = f"--add-scram SCRAM-SHA-512=[name={self.user},password={self.password}]"
        return {**self._told(told), "FORMAT": known}

    def _told(self, properties: str) -> dict[str, str]:
        (more := self._folder / "more.properties").write_text(properties)
        return {"MORE": str(more)}

    def start(self) -> None:
        said = (self._folder / "said").open("ab")
        command = [RUN, self._folder, *self._ports]
        self._process = subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, **self._more})

    def answers(self, **told: str) -> None:
        """Wait until it answers, who says this when they connect."""
        until = time.monotonic() + STARTS_WITHIN_S
        asked = AdminClient({"bootstrap.servers": self.address, "log_level": 0, **told})
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
        if self._process:
            self.die()
        shutil.rmtree(self._folder, ignore_errors=True)


ONE_OF_THREE = """
node.id={number}
controller.quorum.voters={voters}
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


class ThreeBrokers:
    """A cluster in which each broker is a controller too, and each partition is on all three."""

    def __init__(self) -> None:
        ports = [(free_port(), free_port()) for _ in range(3)]
        voters = ",".join(f"{n}@127.0.0.1:{controller}" for n, (_, controller) in enumerate(ports, 1))
        self.brokers = [
            Broker(ports=pair, more=ONE_OF_THREE.format(number=n, voters=voters))
            for n, pair in enumerate(ports, 1)
        ]
        self.address = ",".join(each.address for each in self.brokers)
        for each in self.brokers:
            each.answers()

    def leads(self, topic: str) -> Broker:
        """The broker that leads most partitions of a topic."""
        asked = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        partitions = asked.list_topics(topic, timeout=20).topics[topic].partitions.values()
        [(number, _)] = Counter(each.leader for each in partitions).most_common(1)
        return self.brokers[number - 1]

    def end(self) -> None:
        for each in self.brokers:
            each._end()


def prepared() -> None:
    """Skip where there is no Kafka."""
    if not RUN.exists():
        pytest.skip("Kafka is not prepared (make kafka; needs Java 17+ and Maven)")


@cache
def broker() -> Broker:
    prepared()
    started = Broker()
    started.answers()
    return started
