"""Requests to addresses that people gave us: never into our own network.

A name is resolved here, every address behind it is judged, and the connection goes to the address that was
judged: a name that answers differently the second time (DNS rebinding) gains nothing. Redirects are not
followed, and no proxy of the environment is used. The name stays the one that TLS checks.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_UNICAST = ip_network("2000::/3")
"""What of IPv6 is given to the internet's machines (RFC 4291)."""
_CARRY_IPV4 = (ip_network("2002::/16"), ip_network("2001::/32"))
"""Of that, ways to reach IPv4 (RFC 3056, 4380): what is behind them cannot be judged."""
_ADDRESSES_TRIED = 3
"""Of a host, so that one with many that do not answer holds nobody up."""
_CONNECT_S = 3.0
"""Within which an address has to answer where there is another."""


class PrivateAddress(httpx.RequestError):
    """The address is one of a private network, of this machine, or of no machine at all."""


class UnknownHost(httpx.ConnectError):
    """No address has this name."""


def networks(setting: str) -> tuple[Network, ...]:
    """Read the networks between spaces that may be reached though they are private; ValueError for others."""
    return tuple(ip_network(each) for each in setting.split())


def is_public(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Say whether an address may be asked: one of the internet, or of a network that is allowed."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address.version == network.version and address in network for network in allowed):
        return True
    if isinstance(address, IPv6Address) and (
        address not in _UNICAST or any(address in network for network in _CARRY_IPV4)
    ):
        return False
    return address.is_global and not address.is_multicast


async def resolve(host: str, port: int, allowed: Sequence[Network] = ()) -> list[str]:
    """List the addresses of a host, the best first. PrivateAddress where any of them is: a name that has both
    would choose by chance."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UnknownHost(f"There is no host {host}.") from None
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not addresses or not all(is_public(ip_address(each.split("%")[0]), allowed) for each in addresses):
        raise PrivateAddress(f"{host} is not an address of the internet.")
    return addresses


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends a request to the address that was judged, in the name that was asked for."""

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = allowed
        # A connection that is kept belongs to an address, and the next request may be for another name there.
        self._inner = httpx.AsyncHTTPTransport(
            verify=_authorities(), trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Resolve, judge, connect; PrivateAddress is raised before anything is sent."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        *others, last = (await resolve(url.host, port, self._allowed))[:_ADDRESSES_TRIED]
        request.extensions["sni_hostname"] = url.host
        if others:
            request.extensions["timeout"] = {**request.extensions.get("timeout", {}), "connect": _CONNECT_S}
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):  # of the wrong family here, perhaps
                return await self._send(request, url, address)
        return await self._send(request, url, last)

    async def _send(self, request: httpx.Request, url: httpx.URL, address: str) -> httpx.Response:
        request.url = url.copy_with(host=address)  # the Host header stays as it was made
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()


@cache
def _authorities() -> ssl.SSLContext:
    """Read once whom TLS believes: to read it for each client took a tenth of a processor while pictures were
    fetched."""
    return httpx.create_ssl_context(trust_env=False)


def client(allowed: Sequence[Network] = (), *, timeout_s: float = 10) -> httpx.AsyncClient:
    """Make a client for addresses that people gave us.

    It asks for nothing packed, and who reads an answer reads it raw: what unpacks it knows no limit."""
    return httpx.AsyncClient(
        transport=GuardedTransport(allowed),
        headers={"accept-encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
        timeout=timeout_s,
    )
