"""Decisions without IO: the draw, the pace of release, how a sale stands, what may be promised of the wait.

A `sale` or a `turn` is a row of its table.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any

from msgspec.structs import replace

from mercat.checkout import CheckoutHealth
from mercat.flashsale.messages import PlaceState, QueuePlace, State

_ROUNDS = 10
SOON_S = 0.2
"""How often it is asked what checkouts came to once every unit is promised: sold out is told within 2 s."""


def commitment(seed: bytes) -> bytes:
    """Hash the seed: published before the start, it binds us to the seed and tells nothing about it."""
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
        """Answer the place of whoever came as this number, from 1; after the start it is the number."""
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
        """Answer as which number came who has this place."""
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
    """Name the range of addresses that somebody who has many is likely to have: /24, or /48 of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return str(ip_network(f"{parsed}/{24 if parsed.version == 4 else 48}", strict=False))


def local(address: str) -> bool:
    """Answer whether an address is this very machine."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return True


_SLOW_S = 1.5
_FAILED_SHARE = 0.05
PACE_MIN = 0.05


def pace(before: float, health: CheckoutHealth) -> float:
    """Answer the share of the rate at which turns are released, after each look: cut by three tenths while
    checkout is slow or fails, raised by a twentieth while it does well. (Additive increase, multiplicative
    decrease: Chiu and Jain 1989.)"""
    failing = health.failed > _FAILED_SHARE * max(health.answers, 20)
    if failing or health.p99_s > _SLOW_S or health.overdue > 20:
        return max(PACE_MIN, before * 0.7)
    return min(1.0, before + 0.05)


def eta_s(ahead: int, rate: float, free: int) -> int | None:
    """Estimate the seconds until somebody's turn; None where it cannot be known: nobody is let in, or those
    ahead would take every unit, so that only turns given back could lead here."""
    if rate <= 0 or ahead >= free:
        return None
    return round(ahead / rate)


def allowance(before: float, sale: Any, since_s: float) -> float:
    """Add the turns of so many seconds to those that were not given yet; two seconds' worth at most."""
    a_second = sale["rate"] * sale["pace"]
    return min(before + a_second * since_s, max(1.0, 2 * a_second))


def releasable(sale: Any, allowed: int, shopping: int) -> tuple[int, int]:
    """Answer how many places may have their turn now, and the units of each: `allowed` by the rate, while
    `shopping` turns are under way."""
    free = sale["units"] - sale["taken"]
    units = min(sale["per_person"], free)
    places = min(
        allowed,
        sale["ceiling"] - shopping,
        free // units if units else 0,
        sale["joined"] - sale["serving"],
    )
    return places, units


def state_of(sale: Any) -> State:
    """Name the state: sold out is seen from the count, so whoever sold the last unit need not say so."""
    return "sold_out" if sale["state"] != "ended" and sale["sold"] == sale["units"] else sale["state"]


def is_busy(sale: Any) -> bool:
    """Answer whether somebody waits, or has a turn that is not settled."""
    return sale["taken"] > sale["sold"] or sale["joined"] > sale["serving"]


SWITCHED_OFF_MAX = timedelta(days=1)
"""After the start of a sale without an end."""


def switches_hold(sale: Any, now: datetime) -> bool:
    """Say whether the shop still does without what was switched off for a sale: until it ends or is sold out,
    and where no end was planned for a day."""
    until: datetime = sale["ends_at"] or sale["starts_at"] + SWITCHED_OFF_MAX
    return state_of(sale) not in ("ended", "sold_out") and now < until


def all_promised(sale: Any) -> bool:
    """Answer whether each unit is somebody's, or held for somebody, and not all are sold."""
    return sale["state"] != "ended" and sale["sold"] < sale["units"] <= sale["taken"]


def turn_state(turn: Any, now: datetime) -> PlaceState:
    """Name what has become of a turn; "waiting" where there is none yet."""
    if turn is None:
        return "waiting"
    if turn["state"] == "used":
        return "bought"
    if turn["state"] == "claimed" or (turn["state"] == "issued" and turn["until"] >= now):
        return "your_turn"
    return "lapsed"


def undrawn_place(sale_id: str, number: int) -> QueuePlace:
    """Tell somebody who came before the start: they have a number, and wait for the draw."""
    return QueuePlace(
        ticket=f"{sale_id}/{number}",
        number=number,
        state="drawing",
        position=None,
        ahead=None,
        eta_s=None,
        place=None,
    )


def waiting_place(here: QueuePlace, sale: Any, place: int) -> QueuePlace:
    """Tell somebody with a place beyond those served how many are ahead, and for how long."""
    ahead = place - sale["serving"] - 1
    state = state_of(sale)
    here = replace(here, position=ahead + 1, ahead=ahead, place=place)
    if state == "sold_out" or state == "ended":
        return replace(here, state=state)
    rate = sale["rate"] * sale["pace"] if state == "open" else 0
    free = (sale["units"] - sale["taken"]) // sale["per_person"]
    return replace(here, state="waiting", eta_s=eta_s(ahead, rate, free))
