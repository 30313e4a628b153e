"""Who is at the other end: the address of a client behind our own proxies, and the network that it is in.

Everything that counts or bounds by where a request comes from names it by `network_of`.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_HOPS_MAX = 20
_LETTERS_MAX = 100


@lru_cache(maxsize=10_000)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Read an address as peers and proxies write it: with a port, in brackets, with a zone, or IPv4 within
    IPv6 (RFC 4291, 2.5.5.2), which is the IPv4 address."""
    text = address.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def address_in(text: str) -> str:
    """Return the address alone, in its one form; empty for what is none."""
    return _address_in(text) if len(text) <= _LETTERS_MAX else ""


@lru_cache(maxsize=10_000)
def _address_in(text: str) -> str:
    found = _parsed(text)
    return str(found) if found else ""


@lru_cache(maxsize=10_000)
def network_of(address: str) -> str:
    """Name the network that an address is in: an IPv4 address itself, or of IPv6 the /64, which is what one
    customer is given. Empty for a local socket."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Address(int(found) >> 64 << 64))
    return str(found) if found else address[:_LETTERS_MAX]


@lru_cache(maxsize=10_000)
def is_loopback(address: str) -> bool:
    """Say whether an address is this very machine; a local socket is."""
    if not address or address == "localhost":
        return True
    found = _parsed(address)
    return bool(found and found.is_loopback)


class Proxies:
    """Our own proxies, by address or range, as in `10.0.0.1 192.168.0.0/16 2001:db8::/32`.

    A proxy writes whom it heard at the right end of `X-Forwarded-For`; what stands left of the first address
    that is not ours may be made up."""

    def __init__(self, ranges: str = "") -> None:
        """Raise ValueError for what is no address and no range."""
        self._ranges: Sequence[IPv4Network | IPv6Network] = [
            ip_network(each, strict=False) for each in ranges.split()
        ]
        self._known: dict[str, bool] = {}

    def client(self, peer: str, forwarded_for: Sequence[bytes]) -> str:
        """Return the address of who asked; empty for a local socket."""
        address = address_in(peer)
        if not forwarded_for or not self._ranges or not self.own(address):
            return address
        hops = b",".join(forwarded_for).decode("latin-1").rsplit(",", _HOPS_MAX)
        for hop in reversed(hops):
            if not (behind := address_in(hop)):
                break  # our proxy wrote no address: who is behind it is not known
            address = behind
            if not self.own(address):
                break
        return address

    def own(self, address: str) -> bool:
        """Say whether this is one of our own proxies."""
        known = self._known.get(address)
        if known is None:
            if len(self._known) > _KNOWN_MAX:
                self._known.clear()
            found = _parsed(address) if address else None
            known = self._known[address] = bool(found) and any(found in each for each in self._ranges)
        return known


_KNOWN_MAX = 10_000
