"""The verbs of fulfilment."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import structs

from mercat.addresses import known_region
from mercat.events import (
    OrderCancelled,
    OrderForgotten,
    OrderLine,
    OrderPlaced,
    ParcelMoved,
    PartShipping,
    UnitsCancelled,
)
from mercat.fulfilment import days, zones
from mercat.fulfilment.messages import (
    SHOP,
    TABS,
    AddressNotServed,
    OutOfOrder,
    PartToSend,
    SellerLine,
    SellerOrder,
    SellerSort,
    SellerStatus,
    SellerTab,
    SellerWords,
    Shipment,
    ShipmentEvent,
    ShippedLine,
    ShippingMethod,
    ShippingProfile,
)
from mercat.fulfilment.rules import PROGRESS
from mercat.ids import LineId, OrderId, SellerId, ShipmentId, UserId
from mercat.kit import clock, codec, sql
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid, NotFound, Stale
from mercat.kit.snapshot import Snapshot
from mercat.settings import Settings

queries = sql.load("mercat.fulfilment")
_LAST = 2**63 - 1
_NO_PARTS: list[PartToSend] = []
_ONE_PART = [PartToSend(SHOP, 0, 1)]
_FRESH_S = 1.0
_PROMPT = ShippingProfile()
_CLOCKS_DIFFER = timedelta(hours=1)
_BEGINNING, _TICK = datetime(2026, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class Fulfilment:
    """Delivery methods, parcels, and what each seller has to pack."""

    def __init__(self, db: asyncpg.Pool, settings: Settings) -> None:
        self._db = db
        self._currency = settings.currency
        self._home = settings.home_country
        self._profiles = Snapshot(self._read_profiles, _FRESH_S)

    async def methods(
        self,
        country: str,
        region: str = "",
        parts: list[PartToSend] = _NO_PARTS,
        code: str | None = None,
    ) -> list[ShippingMethod]:
        """List the ways to a destination, the cheapest first; AddressNotServed where there is none.

        Each seller's part is priced by itself; without any, a method costs what one of the shop would.
        `code`: that method alone, if there is one."""
        country, region = country.upper(), known_region(country, region)
        asked, profiles, now = parts or _ONE_PART, await self._profiles.get(), clock.now()
        ways = [self._ways(profiles, part, country, region, code) for part in asked]
        leaving = [days.leaves(now, _handling(profiles, part.seller_id)) for part in asked]
        methods = zones.offered(asked, ways, leaving, country, self._currency, code)
        return methods if parts else [structs.replace(method, parts=[]) for method in methods]

    async def countries(self) -> list[str]:
        """List the countries that somebody sends to, the whole of them or a part."""
        return zones.served(await self._profiles.get(), self._home)

    async def shipping_profile(self, seller_id: SellerId) -> ShippingProfile | None:
        """Return where a seller sends to, and for how much; of seller 0 it is the shop's. None where nothing
        was set."""
        return (await self._read_profiles()).get(seller_id)

    async def set_shipping_profile(
        self, seller_id: SellerId, profile: ShippingProfile, version: int | None = None
    ) -> ShippingProfile:
        """Say where a seller sends to, in place of what was said before. Once it is answered, every process
        prices by it; Invalid points to what cannot be. `version`: of what is replaced, 0 where nothing was
        set, else Stale; none: whatever stands."""
        kept = structs.replace(zones.checked(profile), version=0)
        seen_at = None if version is None else _BEGINNING + version * _TICK
        changed_at = await self._db.fetchval(
            queries.set_profile, seller_id, codec.text(kept), clock.now(), seen_at
        )
        if changed_at is None:
            raise Stale
        self._profiles.forget()
        await asyncio.sleep(_FRESH_S)  # as long as another process may go by what it read before
        return structs.replace(kept, version=_version(changed_at))

    def _ways(
        self, profiles: zones.Profiles, part: PartToSend, country: str, region: str, code: str | None
    ) -> list[zones.Way]:
        zone = zones.zone_for(profiles, self._currency, self._home, part.seller_id, country, region)
        ways = zones.ways_of(part, zone, self._currency, code) if zone else []
        if ways:
            return ways
        served = zones.served_by(profiles, self._home, part.seller_id)
        raise AddressNotServed(
            "This is too heavy for every way of delivery there." if zone else "",
            pointer="/shipping_address_id",
            served=served,
        )

    async def _read_profiles(self) -> dict[SellerId, ShippingProfile]:
        return {
            SellerId(row["seller_id"]): structs.replace(
                codec.decode(row["profile"], ShippingProfile), version=_version(row["changed_at"])
            )
            for row in await self._db.fetch(queries.profiles)
        }

    async def open(
        self,
        shipment_id: ShipmentId,
        order_id: OrderId,
        user_id: UserId,
        seller_id: SellerId,
        lines: list[tuple[LineId, int]],
        carrier: str,
        tracking_number: str,
    ) -> Shipment:
        """Open a parcel that was handed over, once a shipment."""
        packed = codec.text([ShippedLine(line, quantity) for line, quantity in lines])
        await self._db.execute(
            queries.open,
            shipment_id,
            order_id,
            user_id,
            seller_id,
            carrier,
            tracking_number,
            packed,
            clock.now(),
        )
        await self._db.execute(queries.progress, [order_id])
        return await self._shipment(shipment_id, seller_id)

    async def seen(
        self,
        seller_id: SellerId,
        shipment_id: ShipmentId,
        status: str,
        location: str | None = None,
        at: datetime | None = None,
    ) -> Shipment:
        """Note that a carrier saw the parcel. Seen there already changes nothing, in another town does;
        backwards is OutOfOrder."""
        if status not in PROGRESS:
            raise Invalid("A parcel cannot be that.", pointer="/status")
        moment = at or clock.now()
        if moment.tzinfo is None:
            raise Invalid("A time needs its zone.", pointer="/at")
        if moment > clock.now() + _CLOCKS_DIFFER:
            raise Invalid("This time has not come yet.", pointer="/at")
        moved = await self._db.fetch(
            queries.seen, shipment_id, seller_id, status, PROGRESS[status], location or "", moment
        )
        shipment = await self._shipment(shipment_id, seller_id)
        if not moved and shipment.status != status:
            raise OutOfOrder
        await self._db.execute(queries.progress, [shipment.order_id])  # the first time it may have died here
        return shipment

    async def of_order(self, order_id: OrderId) -> list[Shipment]:
        """List the parcels of an order."""
        return [_shipment(row) for row in await self._db.fetch(queries.shipments, [order_id], None)]

    async def orders_of_seller(
        self,
        seller_id: SellerId,
        status: SellerStatus | SellerTab | None = None,
        after: OrderId | None = None,
        limit: int = 50,
        words: SellerWords = "",
        sort: SellerSort = "-placed",
        order_id: OrderId | None = None,
    ) -> list[SellerOrder]:
        """List what a seller has to pack, the newest first or as asked; only their own lines. `words`: of the
        name it goes to or a title, or a tracking number; `order_id`: that order too."""
        statuses = None if status is None else list(TABS.get(status, (status,)))
        asked = seller_id, statuses, words.strip().lower(), order_id
        if sort == "-placed":
            rows = await self._db.fetch(queries.orders_of_seller, *asked, after or _LAST, limit)
        else:
            way = -1 if sort.startswith("-") else 1
            sorting = sort.endswith("promised"), way, after, limit
            rows = await self._db.fetch(queries.orders_of_seller_sorted, *asked, *sorting)
        parcels: dict[int, list[Shipment]] = defaultdict(list)
        for row in await self._db.fetch(queries.shipments, [row["order_id"] for row in rows], seller_id):
            parcels[row["order_id"]].append(_shipment(row))
        return [_seller_order(row, parcels[row["order_id"]]) for row in rows]

    async def counts_of_seller(self, seller_id: SellerId) -> dict[str, int]:
        """Count a seller's orders by tab, and in all."""
        rows = await self._db.fetch(queries.counts_of_seller, seller_id)
        found = {row["status"]: row["orders"] for row in rows}
        counts = {tab: sum(found.get(each, 0) for each in statuses) for tab, statuses in TABS.items()}
        return {**counts, "all": sum(found.values())}

    async def orders_like(self, words: str, before: OrderId | None = None, limit: int = 50) -> list[OrderId]:
        """Find orders by the tracking number of a parcel, or by how the name begins of whom they go to; the
        newest first."""
        lower = words.strip().lower()
        if not lower:
            return []
        pattern = lower.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        rows = await self._db.fetch(queries.orders_like, lower, pattern, before or _LAST, limit)
        return [OrderId(row["order_id"]) for row in rows]

    async def order_ids_of_seller(
        self,
        seller_id: SellerId,
        since: OrderId | None = None,
        before: OrderId | None = None,
        limit: int = 50,
    ) -> list[OrderId]:
        """List the orders with something of a seller, the newest first."""
        rows = await self._db.fetch(
            queries.order_ids_of_seller, seller_id, since or 0, before or _LAST, limit
        )
        return [OrderId(row["order_id"]) for row in rows]

    @on(OrderPlaced)
    async def take_orders(self, db: PoolConnectionProxy, events: list[OrderPlaced]) -> None:
        """Write down what each seller has to pack: not gift cards, which go by letter."""
        rows: list[tuple[Any, ...]] = []
        for event in events:
            by_seller: dict[SellerId, list[OrderLine]] = defaultdict(list)
            by_letter = event.gift_cards.lines if event.gift_cards else ()
            for line in event.lines:
                if line.order_line_id not in by_letter:
                    by_seller[line.seller_id].append(line)
            fetched = {part.seller_id: _fetched_at(part) for part in event.part_shipping or ()}
            rows += [
                (
                    seller,
                    event.order_id,
                    event.placed_at,
                    event.currency,
                    codec.inner_text([_line(line) for line in lines]),
                    codec.inner_text(event.address | fetched.get(seller, {})),
                    event.estimated_delivery,
                )
                for seller, lines in by_seller.items()
            ]
        await db.execute(queries.take_orders, *sql.columns(rows, 7))
        await db.execute(queries.progress, [event.order_id for event in events])

    @on(OrderCancelled)
    async def cancel_orders(self, db: PoolConnectionProxy, events: list[OrderCancelled]) -> None:
        """Close what need not be packed any more."""
        await db.execute(queries.cancel_orders, [event.order_id for event in events])

    @on(OrderForgotten)
    async def forget_orders(self, db: PoolConnectionProxy, events: list[OrderForgotten]) -> None:
        """Forget where these orders went."""
        await db.execute(queries.forget_orders, [event.order_id for event in events])

    @on(UnitsCancelled)
    async def cancel_units(self, db: PoolConnectionProxy, events: list[UnitsCancelled]) -> None:
        """Take off the packing lists what is not sent."""
        rows = [
            (line.seller_id, event.order_id, line.order_line_id, line.cancelled)
            for event in events
            for line in event.lines
        ]
        await db.execute(queries.cancel_units, *sql.columns(rows, 4))
        await db.execute(queries.progress, [event.order_id for event in events])

    @on(ParcelMoved)
    async def follow_parcels(self, db: PoolConnectionProxy, events: list[ParcelMoved]) -> None:
        """Bring packing lists up to date with parcels, where who moved them died before."""
        await db.execute(queries.progress, [event.order_id for event in events])

    async def _shipment(self, shipment_id: ShipmentId, seller_id: SellerId) -> Shipment:
        row = await self._db.fetchrow(queries.shipment, shipment_id, seller_id)
        if row is None:
            raise NotFound("You have no such shipment.")
        return _shipment(row)


def _handling(profiles: zones.Profiles, seller_id: SellerId) -> ShippingProfile:
    """Answer whose days count: the seller's where they have said them, else the shop's."""
    own = profiles.get(seller_id)
    if own and (own.handling_days is not None or own.cut_off is not None):
        return own
    return profiles.get(SHOP, _PROMPT)


def _fetched_at(part: PartShipping) -> dict[str, str]:
    """Say where a part is fetched, as parts of where it goes."""
    if not part.pickup_name:
        return {}
    return {"pickup_name": part.pickup_name, "pickup_address": part.pickup_address}


def _line(line: OrderLine) -> SellerLine:
    return SellerLine(
        order_line_id=line.order_line_id,
        product_id=line.product_id,
        offer_id=line.offer_id,
        title=line.title,
        quantity=line.quantity,
        unit_price=line.unit_price,
        total=line.total,
        image_url=line.image_url,
    )


def _version(changed_at: datetime) -> int:
    return (changed_at - _BEGINNING) // _TICK


def _shipment(row: Any) -> Shipment:
    lines = codec.decode(row["lines"], list[ShippedLine])
    events = codec.decode(row["events"], list[ShipmentEvent])
    return sql.row(Shipment, {**row, "lines": lines, "events": events})


def _seller_order(row: Any, shipments: list[Shipment]) -> SellerOrder:
    sent: dict[LineId, int] = defaultdict(int)
    for shipment in shipments:
        for line in shipment.lines:
            sent[line.order_line_id] += line.quantity
    cancelled = codec.decode(row["cancelled"], dict[str, int])
    known = [sql.row(SellerLine, line) for line in codec.decode(row["lines"], list[dict[str, Any]])]
    lines = [
        SellerLine(
            order_line_id=line.order_line_id,
            product_id=line.product_id,
            offer_id=line.offer_id,
            title=line.title,
            quantity=line.quantity,
            unit_price=line.unit_price,
            total=line.total,
            image_url=line.image_url,
            shipped=sent[line.order_line_id],
            cancelled=cancelled.get(str(int(line.order_line_id)), 0),
        )
        for line in known
    ]
    address = codec.decode(row["address"], dict[str, str])
    pickup_name, pickup_address = (address.pop(each, "") for each in ("pickup_name", "pickup_address"))
    return SellerOrder(
        order_id=OrderId(row["order_id"]),
        placed_at=row["placed_at"],
        status=row["status"],
        currency=row["currency"],
        lines=lines,
        address=address,
        estimated_delivery=row["estimated_delivery"],
        shipments=shipments,
        pickup_name=pickup_name,
        pickup_address=pickup_address,
    )
