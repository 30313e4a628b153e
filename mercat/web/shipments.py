"""A parcel as shoppers and sellers see it, and the forms that say how many of each line go into one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar, get_args

from msgspec import Meta, Struct

from mercat.fulfilment import ParcelStatus, Shipment, tracking_url
from mercat.ids import LineId, SellerId, ShipmentId
from mercat.quantity import QUANTITY_MAX
from mercat.web.forms import FormErrors, read_form

Packed = TypeVar("Packed", bound=Struct)
PARCEL_WAY: tuple[ParcelStatus, ...] = tuple(
    status for status in get_args(ParcelStatus) if status != "exception"
)
"""How a parcel comes to its buyer, from the first status to the last."""
PACKED = "q-"
"""How the fields of quantities begin; the line's id follows."""


class ParcelEventShown(Struct, frozen=True):
    status: str
    location: str
    at: datetime


class ParcelLineShown(Struct, frozen=True):
    order_line_id: LineId
    quantity: int


class ShipmentShown(Struct, frozen=True, kw_only=True):
    shipment_id: ShipmentId
    seller_id: SellerId
    status: str
    carrier: str
    tracking_number: str
    tracking_url: str | None
    """Where the carrier shows it, if the carrier is known."""
    lines: list[ParcelLineShown]
    events: list[ParcelEventShown]


def shipment_shown(shipment: Shipment) -> ShipmentShown:
    return ShipmentShown(
        shipment_id=shipment.shipment_id,
        seller_id=shipment.seller_id,
        status=shipment.status,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        tracking_url=tracking_url(shipment.carrier, shipment.tracking_number),
        lines=[ParcelLineShown(line.order_line_id, line.quantity) for line in shipment.lines],
        events=[ParcelEventShown(event.status, event.location, event.at) for event in shipment.events],
    )


class PackedQuantity(Struct, frozen=True):
    """How many of a line go along; none, where it stays."""

    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]


def read_packed(
    form: Mapping[str, str], kind: type[Packed], nothing: str, **more: object
) -> Packed | FormErrors:
    """Read a form that asks of every line how many go along; `nothing` is said where none do."""
    lines, errors = list[dict[str, Any]](), FormErrors()
    for name, typed in form.items():
        if name.startswith(PACKED):
            read = read_form({"quantity": typed}, PackedQuantity)
            if isinstance(read, FormErrors):
                errors[name] = read["quantity"]
            elif read.quantity:
                lines.append({"order_line_id": name.removeprefix(PACKED), "quantity": read.quantity})
    asked = read_form({**form, **more, "lines": lines}, kind)
    if isinstance(asked, FormErrors):
        errors = FormErrors(asked | errors | ({} if lines else {"lines": nothing}))
    if any(name.startswith(PACKED) for name in errors):
        errors.pop("lines", None)
    return errors or asked
