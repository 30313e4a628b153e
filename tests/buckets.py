"""A server that speaks S3, with a bucket named `pictures`."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from mercat.kit.s3 import S3Key

KEY = S3Key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-1")


@contextmanager
def s3_server() -> Iterator[str]:
    """Run one for a while; its address."""
    pytest.importorskip("botocore", reason="boto3 is not here: uv sync --group dev")
    server = pytest.importorskip("moto.server", reason="moto is not here: uv sync --group dev")
    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    root = f"http://{host}:{port}"
    assert httpx.put(f"{root}/pictures", timeout=60).is_success
    yield root
    moto.stop()
