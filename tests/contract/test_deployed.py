"""Each command line of `deploy/kubernetes`, run: it becomes ready as probes ask, and drains in its time."""

import asyncio
import os
import re
import signal
import sys
from contextlib import suppress

import httpx
import pytest
from tidy.test_deploy_work import CONTAINERS, KUBERNETES, PODS, WORKING

from mercat.lab.bench.shop import free_port

DIFFERENT = {" ".join(CONTAINERS[name]["args"]): name for name in WORKING}
"""One process of each command line: those of two fleets can be the same."""
ELSEWHERE = {"search": "search", "analytics": "reports"}
"""Services with an address, and which process has them."""


@pytest.fixture
def environment(engines, settings, tmp_path):
    """What makes the file that is deployed one of the engines here: variables win over it."""
    (file := tmp_path / "shop.toml").write_text(
        re.sub(r"^\w+_file = .*$", "", (KUBERNETES / "fleets" / "shop.toml").read_text(), flags=re.MULTILINE)
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MERCAT_")}
    here = {name: value for name, value in engines.environment().items() if name.startswith("MERCAT_")}
    away = dict.fromkeys(("MERCAT_OPENSEARCH_URL", "MERCAT_MEDIA_S3_URL"), "")
    return file, {**kept, **here, **away, "MERCAT_DATA": str(tmp_path), "MERCAT_HOST": "127.0.0.1"}


async def test_every_process_becomes_ready_and_ends_in_its_time(environment, tmp_path):
    file, variables = environment
    log = (tmp_path / "log").open("wb")
    started, ports = {}, {name: free_port() for name in DIFFERENT.values()}
    there = {f"MERCAT_{name.upper()}_URL": f"http://127.0.0.1:{ports[at]}" for name, at in ELSEWHERE.items()}
    for name in ports:
        run = [str(file) if word.endswith("shop.toml") else word for word in CONTAINERS[name]["args"]]
        command = [sys.executable, "-m", "mercat", *run, "--port", str(ports[name])]
        started[name] = await asyncio.create_subprocess_exec(
            *command, env={**variables, **there}, stdout=log, stderr=log
        )
    try:
        async with httpx.AsyncClient(headers={"host": "10.1.2.3:8000"}) as http, asyncio.timeout(120):
            for name, process in started.items():
                probe = CONTAINERS[name]["readinessProbe"]["httpGet"]["path"]
                address = f"http://127.0.0.1:{ports[name]}"
                said = ""
                while said != "200":
                    assert process.returncode is None, (tmp_path / "log").read_text()[-3_000:]
                    with suppress(httpx.TransportError):
                        said = str((await http.get(address + probe)).status_code)
                    await asyncio.sleep(0.05)
                alive = CONTAINERS[name]["livenessProbe"]["httpGet"]["path"]
                assert (await http.get(address + alive)).status_code == 200
        for process in started.values():
            process.send_signal(signal.SIGTERM)
        for name, process in started.items():
            async with asyncio.timeout(PODS[name]["terminationGracePeriodSeconds"]):
                assert await process.wait() == 0, (name, (tmp_path / "log").read_text()[-3_000:])
    finally:
        for process in started.values():
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        log.close()
