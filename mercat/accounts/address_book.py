"""Where somebody's parcels go and how they pay: fifty addresses and fifty cards."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import asyncpg
from msgspec import UNSET, structs

from mercat import ids
from mercat.accounts.messages import (
    Address,
    AddressChange,
    CardLabel,
    NewAddress,
    PaymentMethod,
    TooMany,
)
from mercat.accounts.rules import checked_address, with_default
from mercat.ids import AddressId, PaymentMethodId, UserId
from mercat.kit import sql
from mercat.kit.batching import Coalescer
from mercat.kit.refusals import NotFound
from mercat.kit.rpc import IN_BODY

queries = sql.load("mercat.accounts")


class _AddressAndCard(NamedTuple):
    user_id: int
    address_id: int
    payment_method_id: int


class AddressBook:
    def __init__(self, db: asyncpg.Pool, test_cards: Mapping[str, CardLabel]) -> None:
        self._db = db
        self._test_cards = test_cards
        self._address_and_card: Coalescer[_AddressAndCard, Any] = Coalescer(self._address_and_card_many)
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
            kept = checked_address(NewAddress(**(fields | given)))
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
        token: Annotated[str, IN_BODY],
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

    async def address_and_card(
        self, user_id: UserId, address_id: AddressId, payment_method_id: PaymentMethodId
    ) -> tuple[Address, PaymentMethod]:
        """Return an address and a payment method of this person; NotFound points to the one that is not."""
        row = await self._address_and_card(_AddressAndCard(user_id, address_id, payment_method_id))
        if row["address_id"] is None:
            address = await self.address(user_id, address_id)
        else:
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
            )
        if row["payment_method_id"] is None:
            row = await self._db.fetchrow(queries.own_payment_method, user_id, payment_method_id)
            if row is None:
                raise NotFound("You have no such payment method.", pointer="/payment_method_id")
        return address, self._method(row)

    def _method(self, row: Any) -> PaymentMethod:
        token, brand, last4 = row["token"], row.get("brand") or "", row.get("last4") or ""
        label = f"{brand} ending in {last4}" if last4 else token
        card = self._test_cards.get(token, CardLabel(brand or "Card", last4, label))
        method_id = PaymentMethodId(row["payment_method_id"])
        return PaymentMethod(method_id, token, *card, default=bool(row.get("default")))

    async def _address_and_card_many(self, asks: list[_AddressAndCard]) -> list[Any]:
        answers: list[Any] = [None] * len(asks)
        for row in await self._db.fetch(queries.addresses_and_cards, *sql.columns(asks)):
            answers[row["n"] - 1] = row
        return answers

    async def _add_addresses(self, rows: list[tuple[Any, ...]]) -> list[bool | Exception]:
        kept = {row[0] for row in await self._db.fetch(queries.add_addresses, *sql.columns(rows))}
        return [row[1] in kept for row in rows]

    async def _add_methods(self, rows: list[tuple[Any, ...]]) -> list[bool | Exception]:
        kept = {row[0] for row in await self._db.fetch(queries.add_payment_methods, *sql.columns(rows))}
        return [row[1] in kept for row in rows]
