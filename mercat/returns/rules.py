"""What may come back of an order, and what a parcel that came back holds: decisions without IO."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from mercat.ids import LineId
from mercat.kit.refusals import Invalid
from mercat.returns.messages import GoodsReturn, ReceivedGoods, ReturnedLine


class Counts(NamedTuple):
    """In which condition the units of a line came."""

    sellable: int = 0
    damaged: int = 0
    missing: int = 0


def in_time(
    parcels: Iterable[tuple[datetime, Mapping[LineId, int]]], now: datetime, days: float
) -> dict[LineId, int]:
    """Count by line the units that were delivered at most so many days ago. `parcels`: when each arrived, and
    what was in it."""
    units: dict[LineId, int] = {}
    for arrived, inside in parcels:
        if now <= arrived + timedelta(days=days):
            for line_id, quantity in inside.items():
                units[line_id] = units.get(line_id, 0) + quantity
    return units


def counted(lines: Iterable[ReturnedLine], goods: ReceivedGoods) -> dict[LineId, Counts]:
    """Sort what a parcel held by line and condition. Invalid unless every unit of the return is named once:
    what is not in the parcel is `missing`, never forgotten."""
    expected = {line.order_line_id: line.quantity for line in lines}
    found: dict[LineId, Counts] = {}
    for units in goods.lines:
        if units.order_line_id not in expected:
            raise Invalid("This return has no such line.", pointer="/lines")
        before = found.get(units.order_line_id, Counts())
        so_far = getattr(before, units.condition)
        found[units.order_line_id] = before._replace(**{units.condition: so_far + units.quantity})
    for line_id, quantity in expected.items():
        said = sum(found.get(line_id, Counts()))
        if said != quantity:
            raise Invalid(
                f"Say of all {quantity} units how they came, not of {said}: what is not there is missing.",
                pointer="/lines",
                order_line_id=line_id,
            )
    return found


def received_so(back: GoodsReturn, found: Mapping[LineId, Counts], withheld: int) -> bool:
    """Say whether a return was received with just this in the parcel, and as much withheld."""
    if back.received_at is None or back.withheld != withheld:
        return False
    return all(
        found[line.order_line_id] == (line.sellable, line.damaged, line.missing) for line in back.lines
    )
