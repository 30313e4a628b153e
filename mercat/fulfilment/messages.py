"""What fulfilment is asked and what it answers. Amounts are integers of minor units."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from mercat.countries import CountryCode
from mercat.ids import LineId, OfferId, OrderId, ProductId, SellerId, ShipmentId
from mercat.kit.refusals import Conflict, Invalid
from mercat.kit.text import SEEN_LINE
from mercat.money import MINOR_MAX

ParcelStatus = Literal["shipped", "in_transit", "out_for_delivery", "delivered", "exception"]
SellerStatus = Literal["to_ship", "partially_shipped", "shipped", "delivered", "cancelled"]


SellerTab = Literal["to_pack", "shipped", "done"]
SellerSort = Literal["-placed", "placed", "promised", "-promised"]
SellerWords = Annotated[str, Meta(max_length=200)]
TABS: dict[str, tuple[SellerStatus, ...]] = {
    "to_pack": ("to_ship", "partially_shipped"),
    "shipped": ("shipped",),
    "done": ("delivered", "cancelled"),
}
"""A seller's orders as they work through them."""


SHOP = SellerId(0)
"""Whose zones are the shop's own."""
ZONES_MAX = 50
COUNTRIES_MAX = 250
SUBDIVISIONS_MAX = 100
METHODS_MAX = 20
HOLIDAYS_MAX = 100
DAYS_MAX = 120
HANDLING_DAYS_MAX = 60
WEIGHT_MAX_G = 10**7
COUNTRY_LETTERS = 2
ZoneName = Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN_LINE)]
RateCode = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$",
        extra={"words": "Small letters, figures and hyphens, such as express."},
    ),
]
RateName = Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN_LINE)]
Subdivision = Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN_LINE)]
Countries = Annotated[list[CountryCode], Meta(min_length=1, max_length=COUNTRIES_MAX)]
Subdivisions = Annotated[list[Subdivision], Meta(max_length=SUBDIVISIONS_MAX)]
CarrierDays = Annotated[int, Meta(ge=0, le=DAYS_MAX)]
HandlingDays = Annotated[int, Meta(ge=0, le=HANDLING_DAYS_MAX)]
Weight = Annotated[int, Meta(ge=0, le=WEIGHT_MAX_G)]
WeightLimit = Annotated[int, Meta(gt=0, le=WEIGHT_MAX_G)]
RateAmount = Annotated[int, Meta(ge=0, le=MINOR_MAX)]
CutOff = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        extra={"words": "A time such as 14:00."},
    ),
]
TimeZone = Annotated[str, Meta(min_length=1, max_length=60, pattern=SEEN_LINE)]
Holidays = CountryCode | Annotated[list[date], Meta(max_length=HOLIDAYS_MAX)]
"""Those of a country, or the days themselves."""
PickupName = Annotated[str, Meta(min_length=1, max_length=100, pattern=SEEN_LINE)]
PickupAddress = Annotated[str, Meta(min_length=1, max_length=300, pattern=SEEN_LINE)]


class PickupPoint(Struct, frozen=True):
    """Where a parcel is fetched."""

    name: PickupName
    address: PickupAddress


class DeliveryRate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a way of delivery costs: a price, and on top of it by weight and by unit; free from an amount of
    goods on; not for what is heavier. `days`: those of the carrier."""

    code: RateCode
    name: RateName
    price: RateAmount
    days: CarrierDays
    per_kg: RateAmount = 0
    per_item: RateAmount = 0
    free_above: RateAmount | None = None
    max_weight_g: WeightLimit | None = None
    pickup: PickupPoint | None = None


class DeliveryZone(Struct, frozen=True, kw_only=True):
    """Places that cost the same: countries, or some subdivisions of them."""

    name: ZoneName
    countries: Countries
    methods: Annotated[list[DeliveryRate], Meta(min_length=1, max_length=METHODS_MAX)]
    subdivisions: Subdivisions = []


class ShippingProfile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where somebody sends to and for how much, and how long they pack.

    `cut_off`: what is ordered until then (in `time_zone`) counts for the day; `holidays`: on these, and on
    weekends, nothing is packed. Without handling days and a cut-off a parcel leaves on the day of its
    order. `version`: of what stands; 0: nothing was set."""

    zones: Annotated[list[DeliveryZone], Meta(max_length=ZONES_MAX)] = []
    handling_days: HandlingDays | None = None
    cut_off: CutOff | None = None
    time_zone: TimeZone = "UTC"
    holidays: Holidays | None = None
    version: int = 0


class PartToSend(Struct, frozen=True, array_like=True):
    """What one seller sends: what the goods cost, how many they are, and what they weigh in grams; of what
    goes by letter alone none."""

    seller_id: SellerId
    amount: int
    units: int
    weight_g: int = 0


class PartRate(Struct, frozen=True, array_like=True):
    """What the delivery of a seller's part costs, when it arrives, and how it travels."""

    seller_id: SellerId
    price: int
    estimated_delivery: date
    code: str = ""
    name: str = ""
    pickup: PickupPoint | None = None
    """Where it is fetched, if it is not brought."""


class ShippingMethod(Struct, frozen=True):
    """A way to a destination: its price in minor units, the working days it takes, and when that is.

    `parts`: of each part that was asked for; the price is their sum, the date that of the last."""

    code: str
    name: str
    price: int
    currency: str
    estimated_delivery: date
    days: int
    parts: list[PartRate] = []
    pickup: PickupPoint | None = None
    """Where it is fetched, if it is not brought."""


class ShippedLine(Struct, frozen=True):
    """So many of an order's line in a parcel."""

    order_line_id: LineId
    quantity: int


class ShipmentEvent(Struct, frozen=True):
    """What a carrier saw of a parcel, where and when."""

    status: ParcelStatus
    location: str
    at: datetime


class Shipment(Struct, frozen=True, kw_only=True):
    """A seller's parcel of an order, and where it has been."""

    shipment_id: ShipmentId
    order_id: OrderId
    seller_id: SellerId
    carrier: str
    tracking_number: str
    status: ParcelStatus
    version: int
    lines: list[ShippedLine]
    events: list[ShipmentEvent]


class SellerLine(Struct, frozen=True, kw_only=True):
    """A line of an order that this seller sends: how many are on their way, and how many were cancelled."""

    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    title: str
    quantity: int
    unit_price: int
    total: int
    image_url: str = ""
    shipped: int = 0
    cancelled: int = 0


class SellerOrder(Struct, frozen=True, kw_only=True):
    """What one seller has to pack for an order, and the parcels that are on their way."""

    order_id: OrderId
    placed_at: datetime
    status: SellerStatus
    currency: str
    lines: list[SellerLine]
    address: dict[str, str]
    estimated_delivery: str
    shipments: list[Shipment] = []
    pickup_name: str = ""
    """Where its shopper fetches it; nothing where it is brought."""
    pickup_address: str = ""


class AddressNotServed(Invalid):
    """We do not deliver there yet."""


class OutOfOrder(Conflict):
    """A parcel moves forward only, and one that was delivered has arrived."""
