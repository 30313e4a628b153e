"""Decisions without IO: the draw, the pace of release, what may be promised about the wait."""

from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import NamedTuple

_ROUNDS = 10


def commitment(seed: bytes) -> bytes:
    """What is published before the start: it binds us to the seed and tells nothing about it."""
    return sha256(seed).digest()


class Draw:
    """A random order of those who came before the start: place_of(number), and back.

    A Feistel network over the smallest square of a power of two that holds them, with SHA-256 as its rounds,
    walked until it lands among them (Luby and Rackoff 1988; cycle walking: Black and Rogaway 2002). So each
    place is computed by itself, from the seed and the list alone, by anybody.

    The key mixes the seed, fixed before the sale, with the list of who joined, which nobody knows before the
    start: we could not choose a seed for a list, nor could anybody who joins choose a number for a seed.
    """

    def __init__(self, seed: bytes, roll: bytes, joined: int) -> None:
        self.joined = joined
        self._half = max(1, (max(joined - 1, 1).bit_length() + 1) // 2)
        self._mask = (1 << self._half) - 1
        key = sha256(b"mercat flash draw" + seed + joined.to_bytes(8) + roll).digest()
        self._rounds = [sha256(key + bytes([n])) for n in range(_ROUNDS)]

    def place_of(self, number: int) -> int:
        """The place of whoever came as this number, from 1; who came after the start keeps the number."""
        if not 1 <= number <= self.joined:
            return number
        at = number - 1
        while True:
            left, right = at >> self._half, at & self._mask
            for n in range(_ROUNDS):
                left, right = right, left ^ self._mix(n, right)
            at = left << self._half | right
            if at < self.joined:
                return at + 1

    def number_of(self, place: int) -> int:
        """Who came as which number has this place."""
        if not 1 <= place <= self.joined:
            return place
        at = place - 1
        while True:
            left, right = at >> self._half, at & self._mask
            for n in reversed(range(_ROUNDS)):
                left, right = right ^ self._mix(n, left), left
            at = left << self._half | right
            if at < self.joined:
                return at + 1

    def _mix(self, n: int, half: int) -> int:
        mixed = self._rounds[n].copy()
        mixed.update(half.to_bytes(8))
        return int.from_bytes(mixed.digest()[:8]) & self._mask


def neighbourhood(address: str) -> str | None:
    """The range of addresses that somebody who has many is likely to have: /24, or /48 of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return str(ip_network(f"{parsed}/{24 if parsed.version == 4 else 48}", strict=False))


def local(address: str) -> bool:
    """This very machine."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return True


class Health(NamedTuple):
    """How checkout did lately: answers, of them failed by our fault, and how long the slow ones took."""

    answers: int
    failed: int
    p99_s: float
    overdue: int


_SLOW_S = 1.5
_FAILED_SHARE = 0.05
PACE_MIN = 0.05


def pace(before: float, health: Health) -> float:
    """The share of the rate at which people are released, after each look: cut by three tenths while checkout
    is slow or fails, raised by a twentieth while it does well. (Additive increase, multiplicative decrease:
    Chiu and Jain 1989.)"""
    failing = health.failed > _FAILED_SHARE * max(health.answers, 20)
    if failing or health.p99_s > _SLOW_S or health.overdue > 20:
        return max(PACE_MIN, before * 0.7)
    return min(1.0, before + 0.05)


def eta_s(ahead: int, rate: float, free: int) -> int | None:
    """Seconds until somebody's turn; None where it cannot be known: nobody is let in, or those ahead would
    take every unit, so that only turns given back could lead here."""
    if rate <= 0 or ahead >= free:
        return None
    return round(ahead / rate)
