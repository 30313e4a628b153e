"""Where orders are when they are on several databases, and which has which buckets to begin with."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from mercat.ids import BUCKETS

MAIN = "main"
"""The shop's own database; the others have orders alone."""
PLACES_MAX = 64
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_RANGE = re.compile(r"(\d{1,4})-(\d{1,4})")


class WrongPlaces(ValueError):
    """The databases of orders cannot be what is said; the message says why."""


class ShardPlace(NamedTuple):
    """A database of orders: its address, and the ranges of buckets that it begins with, each from its first
    to before its second number. The shop's own has no address."""

    name: str
    ranges: tuple[tuple[int, int], ...]
    host: str = ""
    port: int = 0
    database: str = ""

    @property
    def slot(self) -> str:
        """The replication slot of its relay."""
        return f"mercat_{self.name}"


def read_places(told: str) -> list[ShardPlace]:
    """Read `main 0-511; orders_1 512-1023 postgresql://host:5432/mercat`; the shop's own stands first.

    WrongPlaces unless each bucket is in one of them."""
    places = [_place(*each.split()) for each in told.split(";") if each.strip()]
    if places and MAIN not in (each.name for each in places):
        places.append(ShardPlace(MAIN, ()))
    places.sort(key=lambda each: each.name != MAIN)
    names = [each.name for each in places]
    if len({*names}) < len(names) or len(names) > PLACES_MAX:
        raise WrongPlaces(f"a name stands twice, or there are over {PLACES_MAX} of them")
    if places:
        check_each_once(sorted(each for place in places for each in place.ranges))
    return places


def read_buckets(told: str) -> list[int]:
    """Read `0-63,100` as buckets, sorted; WrongPlaces for what is none."""
    found: set[int] = set()
    for each in told.split(","):
        first, dash, last = each.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash) and len(first) < 5 and len(last) < 5):
            raise WrongPlaces(f"{each!r} are no buckets, as in 0-63,100")
        begin, end = int(first), int(last or first)
        if not begin <= end < BUCKETS:
            raise WrongPlaces(f"{each!r} are no buckets: there are 0 to {BUCKETS - 1}")
        found |= {*range(begin, end + 1)}
    return sorted(found)


def show_buckets(buckets: list[int]) -> str:
    """Write sorted buckets as they are read."""
    ranges: list[list[int]] = []
    for bucket in buckets:
        if ranges and ranges[-1][-1] == bucket - 1:
            ranges[-1][1:] = [bucket]
        else:
            ranges.append([bucket])
    return ",".join("-".join(str(end) for end in each) for each in ranges)


def misplaced(databases: Iterable[Iterable[int]]) -> tuple[int, int]:
    """Count the buckets that none of these databases has, and those that several have."""
    times = Counter(bucket for buckets in databases for bucket in buckets)
    return BUCKETS - len(times), sum(count > 1 for count in times.values())


def check_each_once(ranges: list[tuple[int, int]]) -> None:
    """Raise WrongPlaces unless each bucket is in one of these ranges, which are sorted."""
    reached = 0
    for first, end in [*ranges, (BUCKETS, BUCKETS)]:
        if first != reached:
            raise WrongPlaces(
                f"bucket {min(first, reached)} is in {'two' if first < reached else 'none'} of them; "
                f"there are 0 to {BUCKETS - 1}"
            )
        reached = end


def _place(name: str = "", buckets: str = "", url: str = "", *more: str) -> ShardPlace:
    if not _NAME.fullmatch(name) or not buckets or more:
        raise WrongPlaces(f"{name!r} is no `name 0-511 postgresql://host:5432/database`")
    ranges = () if buckets == "-" else tuple(sorted(_range(name, each) for each in buckets.split(",")))
    if name == MAIN:
        if url:
            raise WrongPlaces(f"{MAIN} is the shop's own database, whose address stands elsewhere")
        return ShardPlace(name, ranges)
    return ShardPlace(name, ranges, *address_of(f"the address of {name}", url))


def _range(name: str, told: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(told)
    first, last = (int(found[1]), int(found[2])) if found else (1, 0)
    if not first <= last < BUCKETS:
        raise WrongPlaces(f"{told!r} are no buckets of {name}, as in 0-511,600-700, or - for none")
    return first, last + 1


def address_of(where: str, url: str) -> tuple[str, int, str]:
    """Read host (or %2Fthe%2Ffolder%2Fof%2Fa%2Fsocket), port and database."""
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError as error:
        raise WrongPlaces(f"{where}: {error}") from None
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname or parts.username or parts.query:
        raise WrongPlaces(f"{where} is no postgresql://host:port/database without user and password")
    host = unquote(
        parts.netloc.partition("]")[0].lstrip("[") if "[" in parts.netloc else parts.netloc.split(":")[0]
    )
    return host, port, parts.path.strip("/") or "mercat"
