"""Where somebody's parcels go and how they pay: fifty addresses and fifty cards."""

from collections.abc import Mapping
from typing import Any

import asyncpg
from msgspec import UNSET, structs

from mercat import ids
from mercat.accounts.messages import (
    Address,
    AddressAndCard,
    AddressChange,
    CardLabel,
    NewAddress,
    PaymentMethod,
    TooMany,
    WayToBuy,
)
from mercat.accounts.rules import checked_address, with_default
from mercat.ids import AddressId, PaymentMethodId, UserId
from mercat.kit import sql
from mercat.kit.batching import Coalescer, set_verb
from mercat.kit.refusals import NotFound

queries = sql.load("mercat.accounts")


class AddressBook:
    def __init__(self, db: asyncpg.Pool, test_cards: Mapping[str, CardLabel]) -> None:
        self._db = db
        self._test_cards = test_cards
        self._add_address: Coalescer[tuple[Any, ...], bool] = Coalescer(self._add_addresses)
        self._add_method: Coalescer[tuple[Any, ...], bool] = Coalescer(self._add_methods)

    async def add_address(self, user_id: UserId, address: NewAddress, default: bool = False) -> AddressId:
        """Keep an address in its country's form; Invalid where it has none, TooMany beyond fifty."""
        kept = checked_address(address)
        address_id = ids.new(AddressId, user_id.bucket)
        if not await self._add_address((user_id, address_id, *structs.astuple(kept))):
            raise TooMany
        if default:
            await self._db.execute(queries.choose_address, user_id, address_id)
        return address_id

    async def addresses(self, user_id: UserId) -> list[Address]:
        """List somebody's addresses, the oldest first. Until one was chosen the oldest is the default."""
        rows = await self._db.fetch(queries.addresses, user_id)
        return with_default(sql.rows(Address, rows))

    async def address(self, user_id: UserId, address_id: AddressId) -> Address:
        """Return one of this person's addresses; NotFound for another's."""
        row = await self._db.fetchrow(queries.own_address, user_id, address_id)
        if row is None:
            raise NotFound("You have no such address.", pointer="/shipping_address_id")
        return sql.row(Address, row)

    async def change_address(self, user_id: UserId, address_id: AddressId, change: AddressChange) -> Address:
        """Change one of this person's addresses; orders keep the one they were sent to."""
        async with self._db.acquire() as db, db.transaction():
            row = await db.fetchrow(queries.lock_address, user_id, address_id)
            if row is None:
                raise NotFound("You have no such address.")
            given = {name: value for name, value in structs.asdict(change).items() if value is not UNSET}
            default: bool | None = given.pop("default", None)
            former = sql.row(Address, row)
            fields = {name: getattr(former, name) for name in NewAddress.__struct_fields__}
            if given.get("country", former.country).upper() != former.country:
                fields["region"] = None  # it is none of the other country's
            kept = checked_address(NewAddress(**(fields | given)), country_given="country" in given)
            await db.execute(queries.change_address, address_id, *structs.astuple(kept))
            if default:
                await db.execute(queries.choose_address, user_id, address_id)
            elif default is False:
                await db.execute(queries.choose_no_address, user_id, address_id)
        return next(each for each in await self.addresses(user_id) if each.address_id == address_id)

    async def remove_address(self, user_id: UserId, address_id: AddressId) -> None:
        """Remove one of this person's addresses; orders keep the one they were sent to."""
        if await self._db.fetchval(queries.remove_address, user_id, address_id) is None:
            raise NotFound("You have no such address.")

    async def add_payment_method(
        self,
        user_id: UserId,
        token: str,
        brand: str = "",
        last4: str = "",
        single_use: bool = False,
    ) -> PaymentMethodId:
        """Keep a token that payments has checked; `single_use`: for one purchase, and not in the list."""
        method_id = ids.new(PaymentMethodId, user_id.bucket)
        if not await self._add_method((user_id, method_id, token, brand, last4, single_use)):
            raise TooMany
        return method_id

    async def payment_methods(self, user_id: UserId) -> list[PaymentMethod]:
        """List what this person keeps, but for cards of one purchase. Until one was chosen the oldest is the
        default."""
        rows = await self._db.fetch(queries.payment_methods, user_id)
        return with_default([self._method(row) for row in rows])

    async def choose_payment_method(
        self, user_id: UserId, method_id: PaymentMethodId, default: bool
    ) -> PaymentMethod:
        """Make one of this person's ways to pay the default, or no longer."""
        statement = queries.choose_method if default else queries.choose_no_method
        await self._db.execute(statement, user_id, method_id)
        for each in await self.payment_methods(user_id):
            if each.payment_method_id == method_id:
                return each
        raise NotFound("You have no such payment method.")

    async def remove_payment_method(self, user_id: UserId, method_id: PaymentMethodId) -> str:
        """Remove one of this person's ways to pay, and return its token; NotFound for another's."""
        token: str | None = await self._db.fetchval(queries.remove_method, user_id, method_id)
        if token is None:
            raise NotFound("You have no such payment method.")
        return token

    @set_verb()
    async def list_payment_methods(self, methods: list[tuple[UserId, PaymentMethodId]]) -> list[None]:
        """List ways to pay from now on that were for one purchase, but for cards that are listed already."""
        await self._db.execute(queries.list_payment_methods, *sql.columns(methods))
        return [None] * len(methods)

    @set_verb()
    async def addresses_and_cards(self, ways: list[WayToBuy]) -> list[AddressAndCard]:
        """Answer where it goes and which card pays, for many; what was a guest's is the member's."""
        asked = sql.columns([(way.user_id, way.address_id, way.payment_method_id) for way in ways])
        rows = await self._db.fetch(queries.addresses_and_cards, *asked)
        found = [_address_and_card(row) for row in sorted(rows, key=lambda row: row["n"])]
        if all(each.address and each.card for each in found):
            return found
        for row in await self._db.fetch(queries.guests_addresses_and_cards, *asked):
            n: int = row["n"] - 1
            own, was = found[n], _address_and_card(row)
            found[n] = AddressAndCard(own.address or was.address, own.card or was.card)
        return found

    def _method(self, row: Any) -> PaymentMethod:
        token, brand, last4 = row["token"], row.get("brand") or "", row.get("last4") or ""
        label = f"{brand} ending in {last4}" if last4 else token
        card = self._test_cards.get(token, CardLabel(brand or "Card", last4, label))
        method_id = PaymentMethodId(row["payment_method_id"])
        return PaymentMethod(method_id, token, *card, default=bool(row.get("default")))

    async def _add_addresses(self, rows: list[tuple[Any, ...]]) -> list[bool | Exception]:
        kept = {row[0] for row in await self._db.fetch(queries.add_addresses, *sql.columns(rows))}
        return [row[1] in kept for row in rows]

    async def _add_methods(self, rows: list[tuple[Any, ...]]) -> list[bool | Exception]:
        kept = {row[0] for row in await self._db.fetch(queries.add_payment_methods, *sql.columns(rows))}
        return [row[1] in kept for row in rows]


def _address_and_card(row: Any) -> AddressAndCard:
    address = None
    if row["address_id"] is not None:
        address = Address(
            address_id=AddressId(row["address_id"]),
            name=row["name"],
            line1=row["line1"],
            line2=row["line2"],
            city=row["city"],
            region=row["region"],
            postal_code=row["postal_code"],
            country=row["country"],
            phone=row["phone"],
            vat_number=row["vat_number"],
        )
    return AddressAndCard(address, row["token"])
