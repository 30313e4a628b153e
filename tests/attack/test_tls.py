"""TLS by the shop itself and by the proxies that `deploy/` has examples of, with a certificate made here."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from certificates import write_certificate
from waiting import until

from mercat.lab.bench.shop import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
HOST = "shop.example"
PUBLIC = {"public_url": f"https://{HOST}", "secure_cookies": True}


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def visitor(certificate: Path, port: int) -> httpx.AsyncClient:
    """Somebody who trusts this certificate alone."""
    trusted = ssl.create_default_context(cafile=str(certificate))
    return httpx.AsyncClient(base_url=f"https://127.0.0.1:{port}", verify=trusted, headers={"host": HOST})


@asynccontextmanager
async def running(*command: str, **environment: str) -> AsyncIterator[None]:
    proxy = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            proxy.terminate()
        await proxy.communicate()


async def answers(http: httpx.AsyncClient, path: str) -> httpx.Response:
    found: list[httpx.Response] = []

    async def reached() -> bool:
        with suppress(httpx.TransportError):
            found.append(await http.get(path))
        return bool(found) and found[-1].status_code != 502

    await until(reached, 20)
    return found[-1]


async def test_the_shop_itself_answers_over_tls_and_marks_its_cookies(opened, tmp_path):
    certificate, key = write_certificate(tmp_path, HOST)
    port, _ = await opened(**PUBLIC, tls_certificate=str(certificate), tls_key=str(key))
    async with visitor(certificate, port) as http:
        await judge(http)
    old = ssl.create_default_context(cafile=str(certificate))
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        await asyncio.open_connection("127.0.0.1", port, ssl=old, server_hostname=HOST)


async def judge(http: httpx.AsyncClient) -> None:
    """What holds of every way in: the page, whose network it is, one answer a connection's end."""
    page = await answers(http, "/")
    assert page.status_code == 200, page.text
    assert f"https://{HOST}/" in page.text
    assert page.headers["strict-transport-security"]
    guest = await http.post("/api/v1/sessions/guest", headers={"x-forwarded-for": "192.0.2.7"})
    assert guest.status_code == 201
    large = await http.post("/api/v1/media", content=b"x" * 27_000_000)
    assert large.status_code in (401, 413), "refused by an answer, not by a lost connection"


async def test_it_is_reached_through_nginx(opened, tmp_path):
    nginx = program("nginx")
    certificate, key = write_certificate(tmp_path, HOST)
    port, _ = await opened(**PUBLIC, proxies="127.0.0.1", limit_loopback=True)
    secure, plain = free_port(), free_port()
    conf = (DEPLOY / "nginx.conf").read_text()
    for example, ours in (
        ("listen 443 ssl", f"listen 127.0.0.1:{secure} ssl"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("127.0.0.1:8000", f"127.0.0.1:{port}"),
        ("/etc/mercat/certificate.pem", str(certificate)),
        ("/etc/mercat/key.pem", str(key)),
    ):
        assert example in conf
        conf = conf.replace(example, ours)
    places = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"pid {tmp_path}/pid; error_log stderr; daemon off; events {{}} "
    (tmp_path / "nginx.conf").write_text(f"{main} http {{ access_log off; {places} {conf} }}")
    async with (
        running(nginx, "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")),
        visitor(certificate, secure) as http,
    ):
        await judge(http)
        assert (await http.get("/metrics")).status_code == 403
        async with httpx.AsyncClient() as unsafe:
            moved = await unsafe.get(f"http://127.0.0.1:{plain}/cart?a=1", headers={"host": HOST})
        assert (moved.status_code, moved.headers["location"]) == (308, f"https://{HOST}/cart?a=1")


async def test_it_is_reached_through_caddy(opened, tmp_path):
    caddy = program("caddy")
    certificate, key = write_certificate(tmp_path, HOST)
    port, _ = await opened(**PUBLIC, proxies="127.0.0.1", limit_loopback=True)
    secure = free_port()
    conf = tmp_path / "Caddyfile"
    options = f"{{\n\tadmin off\n\tauto_https disable_redirects\n\thttps_port {secure}\n}}\n"
    conf.write_text(options + (DEPLOY / "Caddyfile").read_text())
    told = {
        "SHOP_HOST": f"{HOST}:{secure}",
        "SHOP_UPSTREAM": f"127.0.0.1:{port}",
        "SHOP_TLS": f"tls {certificate} {key}",
        "XDG_DATA_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    async with (
        running(caddy, "run", "--config", str(conf), "--adapter", "caddyfile", **told),
        visitor(certificate, secure) as http,
    ):
        await judge(http)
