import asyncio
import secrets
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from mercat import ids
from mercat.accounts.messages import (
    Address,
    CardLabel,
    Credentials,
    EmailTaken,
    NewAddress,
    NewPerson,
    PaymentMethod,
    Session,
    TooMany,
    WrongPassword,
)
from mercat.accounts.rules import account_problem, guest_of, guest_token, normal_password
from mercat.ids import AddressId, PaymentMethodId, SellerId, UserId
from mercat.kit import clock, codec, sql
from mercat.kit.batching import Coalescer
from mercat.kit.limits import Limit, Limits
from mercat.kit.refusals import Invalid, NotFound, SignInFirst, TooManyRequests
from mercat.kit.rpc import IN_BODY, Caller
from mercat.kit.text import normal_text
from mercat.kit.valkey import Store
from mercat.settings import Settings

queries = sql.load("mercat.accounts")
_DAY_S = 24 * 3_600
_SESSION_S = 30 * _DAY_S
_GUESSES = Limit(rate=0.2, burst=20)
_HASHING_AT_ONCE = 2
_PEOPLE = (
    ("ann@example.com", "Ann", ["shopper"]),
    ("bob@example.com", "Bob", ["shopper"]),
    ("ops@example.com", "Olga", ["shopper", "operator"]),
)


class _AddressAndCard(NamedTuple):
    user_id: int
    address_id: int
    payment_method_id: int


class Accounts:
    def __init__(
        self, db: asyncpg.Pool, store: Store, settings: Settings, test_cards: Mapping[str, CardLabel]
    ) -> None:
        """`test_cards`: how the payment provider's cards for trying things out are called, by token."""
        self._db = db
        self._store = store
        self._test_cards = test_cards
        self._guests = settings.key("guests")
        self._limits = Limits(store)
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_hex())
        self._hashing = asyncio.Semaphore(_HASHING_AT_ONCE)
        self._address_and_card: Coalescer[_AddressAndCard, Any] = Coalescer(self._address_and_card_many)
        self._add_address: Coalescer[tuple[Any, ...], bool] = Coalescer(self._add_addresses)
        self._add_method: Coalescer[tuple[Any, ...], bool] = Coalescer(self._add_methods)

    async def register(self, person: NewPerson) -> UserId:
        """Open an account; EmailTaken where there is one, Invalid for what `account_problem` finds."""
        return await self._register(person, ["shopper"])

    async def _register(self, person: NewPerson, roles: list[str]) -> UserId:
        email, name = normal_text(person.email), normal_text(person.name)
        password = normal_password(person.password)
        if problem := account_problem(email, password, name):
            raise Invalid(problem[0], pointer=problem[1])
        user_id = await self._open(email, password, name, roles)
        if user_id is None:
            raise EmailTaken(pointer="/email")
        return user_id

    async def _open(self, email: str, password: str, name: str, roles: list[str]) -> UserId | None:
        async with self._hashing:
            hashed = await asyncio.to_thread(self._hasher.hash, password)
        row = await self._db.fetchrow(queries.open, ids.new(UserId), email, name, hashed, roles)
        return UserId(row["user_id"]) if row else None

    async def verify(self, credentials: Credentials) -> UserId:
        """Check a password; WrongPassword, or TooManyRequests for too many guesses.

        An unknown e-mail takes as long as a wrong password, and is refused alike."""
        email, password = normal_text(credentials.email), normal_password(credentials.password)
        bucket = f"sign-in:{sha256(email.lower().encode()).hexdigest()}"
        [verdict] = await self._limits.take((bucket, _GUESSES))
        if not verdict.allowed:
            wait = int(verdict.retry_after_s) + 1
            raise TooManyRequests("Too many attempts for this address.", retry_after=wait)
        person = await self._db.fetchrow(queries.by_email, email)
        async with self._hashing:
            hashed = person["password"] if person else self._nobody
            matches = await asyncio.to_thread(self._matches, hashed, password)
        if person is None or not matches:
            raise WrongPassword
        return UserId(person["user_id"])

    async def claim(self, guest_id: UserId, user_id: UserId) -> None:
        """Make a guest's orders, addresses and payment methods this person's; a guest is claimed once."""
        await self._db.execute(queries.claim, guest_id, user_id)

    async def begin_session(self, user_id: UserId) -> Session:
        """Start a session of somebody whose password was checked."""
        person = await self._db.fetchrow(queries.by_id, user_id)
        if person is None:
            raise SignInFirst
        session = await self._begin(_caller(person))
        # A role that was granted meanwhile did not find this session.
        now = await self._db.fetchrow(queries.by_id, user_id)
        if now and _caller(now) != _caller(person):
            await self._update_sessions(_caller(now))
        return session

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerifyMismatchError, InvalidHashError):
            return False

    async def guest(self) -> Session:
        """Start a session for somebody who has not signed in; no row is written."""
        return await self._begin(Caller(ids.new(UserId)))

    async def _begin(self, caller: Caller) -> Session:
        token = guest_token(caller.user_id, self._guests) if caller.guest else secrets.token_urlsafe(32)
        await self._store.do("SET", _key(token), codec.encode(caller), "EX", _SESSION_S)
        if not caller.guest:
            await self._store.do("SADD", f"sessions:{caller.user_id}", _key(token))
            await self._store.do("EXPIRE", f"sessions:{caller.user_id}", _SESSION_S)
        return Session(token, caller.user_id, clock.now() + timedelta(seconds=_SESSION_S))

    async def who(self, token: Annotated[str, IN_BODY]) -> Caller | None:
        """Say whose session this is; None for one that ended or never was. A guest's lasts as long again."""
        kept = await self._store.do("GET", _key(token))
        if not kept:
            return await self._restored(token) if kept is None else None
        caller = codec.decode(kept, Caller)
        if caller.guest and _age_s(caller.user_id) > _DAY_S:  # younger ones have nearly all of their time
            await self._store.do("EXPIRE", _key(token), _SESSION_S)
        return caller

    async def _restored(self, token: str) -> Caller | None:
        """Restore a guest's session that was lost with the store, unless they have an account since.

        Cart, orders and place in a queue are still theirs."""
        guest = guest_of(token, self._guests)
        if guest is None or not 0 <= _age_s(guest) < _SESSION_S:
            return None
        if await self._db.fetchval(queries.was_claimed, guest):
            return None
        caller = Caller(guest)
        made = await self._store.do("SET", _key(token), codec.encode(caller), "EX", _SESSION_S, "NX")
        return caller if made else await self.who(token)

    async def sign_out(self, token: Annotated[str, IN_BODY]) -> None:
        """End a session; one that ended already stays so."""
        if guest_of(token, self._guests) is not None:
            await self._store.do("SET", _key(token), b"", "EX", _SESSION_S)  # not there would be: lost
            return
        kept = await self._store.do("GETDEL", _key(token))
        if kept:
            user_id = codec.decode(kept, Caller).user_id
            await self._store.do("SREM", f"sessions:{user_id}", _key(token))

    async def grant(self, user_id: UserId, role: str, seller_id: SellerId | None = None) -> None:
        """Give a role; running sessions have it at once."""
        person = await self._db.fetchrow(queries.grant, user_id, role, seller_id)
        if person is None:
            raise SignInFirst("Open an account first.")
        await self._update_sessions(_caller(person))

    async def create_operator(self, person: NewPerson) -> UserId:
        """Open an account that runs the shop; Invalid and EmailTaken as for any other."""
        return await self._register(person, ["shopper", "operator"])

    async def set_operator(self, email: Annotated[str, IN_BODY], given: bool) -> None:
        """Make the person with this e-mail an operator, or (`given` is false) no longer; in running sessions
        at once. NotFound where nobody has it."""
        person = await self._db.fetchrow(queries.set_operator, normal_text(email), given)
        if person is None:
            raise NotFound("Nobody has an account with this e-mail address.")
        await self._update_sessions(_caller(person))

    async def _update_sessions(self, caller: Caller) -> None:
        ours = f"sessions:{caller.user_id}"
        for key in await self._store.do("SMEMBERS", ours):
            if not await self._store.do("SET", key, codec.encode(caller), "XX", "KEEPTTL"):
                await self._store.do("SREM", ours, key)

    async def guests_of(self, user_id: UserId) -> list[UserId]:
        """List the guests this person was."""
        return [UserId(row["guest_id"]) for row in await self._db.fetch(queries.guests_of, user_id)]

    async def add_address(self, user_id: UserId, address: NewAddress) -> AddressId:
        address_id = ids.new(AddressId, user_id.bucket)
        row = (
            user_id,
            address_id,
            address.name,
            address.line1,
            address.line2,
            address.city,
            address.region,
            address.postal_code,
            address.country.upper(),
            address.phone,
        )
        if not await self._add_address(row):
            raise TooMany
        return address_id

    async def addresses(self, user_id: UserId) -> list[Address]:
        return sql.rows(Address, await self._db.fetch(queries.addresses, user_id))

    async def address(self, user_id: UserId, address_id: AddressId) -> Address:
        """Return one of this person's addresses; NotFound for another's."""
        row = await self._db.fetchrow(queries.own_address, user_id, address_id)
        if row is None:
            raise NotFound("You have no such address.", pointer="/shipping_address_id")
        return sql.row(Address, row)

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
        """List what this person keeps, but for cards of one purchase."""
        rows = await self._db.fetch(queries.payment_methods, user_id)
        return [
            self._method(row["payment_method_id"], row["token"], row["brand"], row["last4"]) for row in rows
        ]

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
            claimed = await self._db.fetchrow(queries.own_payment_method, user_id, payment_method_id)
            if claimed is None:
                raise NotFound("You have no such payment method.", pointer="/payment_method_id")
            return address, self._method(claimed["payment_method_id"], claimed["token"])
        return address, self._method(row["payment_method_id"], row["token"])

    async def seed(self, password: str = "mercat") -> dict[str, UserId]:
        """Open the accounts of the demo, once; answers them by e-mail."""
        for email, name, roles in _PEOPLE:
            await self._open(email, password, name, roles)
        found = {email: await self._db.fetchrow(queries.by_email, email) for email, _, _ in _PEOPLE}
        return {email: UserId(person["user_id"]) for email, person in found.items() if person}

    def _method(self, method_id: int, token: str, brand: str = "", last4: str = "") -> PaymentMethod:
        label = f"{brand} ending in {last4}" if last4 else token
        card = self._test_cards.get(token, CardLabel(brand or "Card", last4, label))
        return PaymentMethod(PaymentMethodId(method_id), token, *card)

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


def _key(token: str) -> str:
    return "session:" + sha256(token.encode()).hexdigest()


def _age_s(guest: UserId) -> float:
    """Tell how long ago a guest first came."""
    return (clock.now() - ids.made_at(guest)).total_seconds()


def _caller(person: Any) -> Caller:
    seller_id = person["seller_id"]
    return Caller(
        UserId(person["user_id"]),
        frozenset(person["roles"]),
        SellerId(seller_id) if seller_id else None,
        person["email"],
        person["name"],
    )
