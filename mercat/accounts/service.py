import asyncio
import secrets
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from mercat import ids
from mercat.accounts.messages import (
    AccountDetails,
    Address,
    AddressAndCard,
    CardLabel,
    Credentials,
    EmailTaken,
    LinkExpired,
    NewAddress,
    NewPerson,
    PasswordReset,
    PaymentMethod,
    PersonChange,
    Session,
    TooMany,
    WayToBuy,
    WrongPassword,
)
from mercat.accounts.rules import (
    account_problem,
    changed_account,
    email_problem,
    guest_of,
    guest_token,
    normal_password,
    password_problem,
)
from mercat.ids import AddressId, LinkId, PaymentMethodId, SellerId, UserId
from mercat.kit import clock, codec, sql
from mercat.kit.batching import Coalescer, set_verb
from mercat.kit.limits import Limit, Limits
from mercat.kit.refusals import Invalid, NotFound, SignInFirst, TooManyRequests
from mercat.kit.rpc import IN_BODY, Caller
from mercat.kit.signing import unseal
from mercat.kit.text import normal_text
from mercat.kit.valkey import Store
from mercat.settings import Settings

queries = sql.load("mercat.accounts")
_DAY_S = 24 * 3_600
_SESSION_S = 30 * _DAY_S
_GUESSES = Limit(rate=0.2, burst=20)
_LETTERS = Limit(rate=1 / 300, burst=10)
_CONFIRM_WITHIN = timedelta(days=3)
_RESET_WITHIN = timedelta(hours=1)
_HASHING_AT_ONCE = 2
_PEOPLE = (
    ("ann@example.com", "Ann", ["shopper"]),
    ("bob@example.com", "Bob", ["shopper"]),
    ("ops@example.com", "Olga", ["shopper", "operator"]),
)


class Accounts:
    def __init__(
        self, db: asyncpg.Pool, store: Store, settings: Settings, test_cards: Mapping[str, CardLabel]
    ) -> None:
        """`test_cards`: how the payment provider's cards for trying things out are called, by token."""
        self._db = db
        self._store = store
        self._test_cards = test_cards
        self._guests = settings.key("guests")
        self._links = settings.key("links")
        self._limits = Limits(store)
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_hex())
        self._hashing = asyncio.Semaphore(_HASHING_AT_ONCE)
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
            await self._tell_owner(email)
            raise EmailTaken(pointer="/email")
        return user_id

    async def _tell_owner(self, email: str) -> None:
        if await self._may_write_to(email):
            await self._db.fetch(queries.tell_owner, email, ids.new(LinkId))

    async def _may_write_to(self, email: str) -> bool:
        """Whether one more letter may go to an address that somebody typed; nobody is flooded."""
        [verdict] = await self._limits.take((f"letters:{_digest(email)}", _LETTERS))
        return verdict.allowed

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _check(self, hashed: str, password: str) -> bool:
        async with self._hashing:
            return await asyncio.to_thread(self._matches, hashed, password)

    async def _open(self, email: str, password: str, name: str, roles: list[str]) -> UserId | None:
        hashed = await self._hash(password)
        link = ids.new(LinkId), clock.now() + _CONFIRM_WITHIN
        row = await self._db.fetchrow(queries.open, ids.new(UserId), email, name, hashed, roles, *link)
        return UserId(row["user_id"]) if row else None

    async def verify(self, credentials: Credentials) -> UserId:
        """Check a password; WrongPassword, or TooManyRequests for too many guesses.

        An unknown e-mail takes as long as a wrong password, and is refused alike."""
        email, password = normal_text(credentials.email), normal_password(credentials.password)
        await self._count_guess(email)
        person = await self._db.fetchrow(queries.by_email, email)
        matches = await self._check(person["password"] if person else self._nobody, password)
        if person is None or not matches:
            raise WrongPassword
        return UserId(person["user_id"])

    async def _count_guess(self, email: str) -> None:
        [verdict] = await self._limits.take((f"sign-in:{_digest(email)}", _GUESSES))
        if not verdict.allowed:
            wait = int(verdict.retry_after_s) + 1
            raise TooManyRequests("Too many attempts for this address.", retry_after=wait)

    async def person(self, user_id: UserId) -> AccountDetails:
        """Return an account; SignInFirst for a guest, who has none."""
        row = await self._db.fetchrow(queries.by_id, user_id)
        if row is None:
            raise SignInFirst
        verified = row["email_verified_at"] is not None
        return AccountDetails(user_id, row["email"], verified, row["name"], row["opened_at"])

    async def change(self, user_id: UserId, change: PersonChange) -> AccountDetails:
        """Change an account: the name at once, the password too, which ends other sessions; a new e-mail
        address once the link in its letter was followed, and the old one is told.

        Invalid, WrongPassword and TooManyRequests change nothing."""
        row = await self._db.fetchrow(queries.by_id, user_id)
        if row is None:
            raise SignInFirst
        problem, wanted = changed_account(change, row["email"])
        if problem:
            raise Invalid(problem[0], pointer=problem[1])
        if wanted.email is not None or wanted.password is not None:
            await self._count_guess(row["email"])
            if not await self._check(row["password"], normal_password(change.current_password)):
                raise WrongPassword("The present password is wrong.", pointer="/current_password")
        if wanted.password is not None:
            await self._change_password(user_id, row["password"], wanted.password, change.session_token)
        if wanted.name is not None:
            renamed = await self._db.fetchrow(queries.rename, user_id, wanted.name)
            await self._update_sessions(_caller(renamed))
        if wanted.email is not None:
            await self._move_to(user_id, wanted.email)
        return await self.person(user_id)

    async def _change_password(self, user_id: UserId, former: str, password: str, keep: str) -> None:
        """Sessions end before the change too: a crash after it leaves none that the old password began."""
        hashed = await self._hash(password)
        await self._end_sessions(user_id, keep)
        row = await self._db.fetchrow(queries.change_password, user_id, former, hashed, ids.new(LinkId))
        if row is None:  # another request changed it meanwhile
            raise WrongPassword("The present password is wrong.", pointer="/current_password")
        await self._end_sessions(user_id, keep)

    async def _move_to(self, user_id: UserId, email: str) -> None:
        """Write to both addresses; to the owner of a new one that is taken: who asks does not learn that."""
        if await self._db.fetchval(queries.has_email, email):
            await self._tell_owner(email)
        elif await self._may_write_to(email):
            expires_at = clock.now() + _CONFIRM_WITHIN
            await self._db.fetch(queries.ask_confirmation, user_id, ids.new(LinkId), email, expires_at)
        await self._db.fetch(queries.tell_former_address, user_id, email, ids.new(LinkId))

    async def ask_confirmation(self, user_id: UserId) -> None:
        """Send the letter again that confirms an e-mail address; none where nothing is to be confirmed."""
        email = await self._db.fetchval(queries.to_confirm, user_id, clock.now())
        if email and await self._may_write_to(email):
            expires_at = clock.now() + _CONFIRM_WITHIN
            await self._db.fetch(queries.ask_confirmation, user_id, ids.new(LinkId), email, expires_at)

    async def confirm_email(self, token: Annotated[str, IN_BODY]) -> AccountDetails:
        """Make the address of a link the person's, and confirmed; in running sessions at once.

        LinkExpired; EmailTaken where somebody else opened an account with it meanwhile."""
        try:
            person = await self._db.fetchrow(queries.confirm_email, self._link(token), clock.now())
        except asyncpg.UniqueViolationError:
            raise EmailTaken from None
        if person is None:
            raise LinkExpired
        await self._update_sessions(_caller(person))
        return await self.person(UserId(person["user_id"]))

    async def ask_reset(self, email: Annotated[str, IN_BODY]) -> None:
        """Send a link that sets a new password; whether somebody has the address cannot be told from outside.

        Invalid for what is no address."""
        email = normal_text(email)
        if problem := email_problem(email):
            raise Invalid(problem, pointer="/email")
        if await self._may_write_to(email):
            now = clock.now()
            await self._db.fetch(queries.ask_reset, ids.new(LinkId), email, now, now + _RESET_WITHIN)

    async def reset_password(self, reset: PasswordReset) -> None:
        """Set a new password by a letter's link, which is good once, and end all sessions.

        LinkExpired; Invalid leaves the link good."""
        link_id, now = self._link(reset.token), clock.now()
        person = await self._db.fetchrow(queries.person_of_link, link_id, "reset", now)
        if person is None:
            raise LinkExpired
        password = normal_password(reset.password)
        if problem := password_problem(password, person["email"]):
            raise Invalid(problem, pointer="/password")
        hashed = await self._hash(password)
        # Before the change too: a crash after it leaves no session that the old password began.
        await self._end_sessions(UserId(person["user_id"]))
        row = await self._db.fetchrow(queries.reset_password, link_id, hashed, now, ids.new(LinkId))
        if row is None:
            raise LinkExpired
        await self._end_sessions(UserId(row["user_id"]))

    def _link(self, token: str) -> LinkId:
        link_id = unseal(self._links, token, LinkId)
        if link_id is None:
            raise LinkExpired
        return link_id

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

    async def find(self, email: Annotated[str, IN_BODY]) -> UserId:
        """Find the account with this e-mail address; Invalid where there is none."""
        person = await self._db.fetchrow(queries.by_email, normal_text(email))
        if person is None:
            raise Invalid("Nobody has an account with this e-mail address.", pointer="/email")
        return UserId(person["user_id"])

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

    async def _end_sessions(self, user_id: UserId, keep: str = "") -> None:
        """End all sessions of somebody but the one with the token `keep`."""
        ours = f"sessions:{user_id}"
        for key in await self._store.do("SMEMBERS", ours):
            if key.decode() != _key(keep):
                await self._store.do("DEL", key)
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

    @set_verb()
    async def list_payment_methods(self, methods: list[tuple[UserId, PaymentMethodId]]) -> list[None]:
        """List ways to pay from now on that were for one purchase, but for cards that are listed already."""
        await self._db.execute(queries.list_payment_methods, *sql.columns(methods))
        return [None] * len(methods)

    async def payment_methods(self, user_id: UserId) -> list[PaymentMethod]:
        """List what this person keeps, but for cards of one purchase."""
        rows = await self._db.fetch(queries.payment_methods, user_id)
        return [
            self._method(row["payment_method_id"], row["token"], row["brand"], row["last4"]) for row in rows
        ]

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

    async def seed(self, password: Annotated[str, IN_BODY] = "mercat") -> dict[str, UserId]:
        """Open the accounts of the demo, once, and return them by e-mail."""
        for email, name, roles in _PEOPLE:
            await self._open(email, password, name, roles)
        found = {email: await self._db.fetchrow(queries.by_email, email) for email, _, _ in _PEOPLE}
        return {email: UserId(person["user_id"]) for email, person in found.items() if person}

    def _method(self, method_id: int, token: str, brand: str = "", last4: str = "") -> PaymentMethod:
        label = f"{brand} ending in {last4}" if last4 else token
        card = self._test_cards.get(token, CardLabel(brand or "Card", last4, label))
        return PaymentMethod(PaymentMethodId(method_id), token, *card)

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
        )
    return AddressAndCard(address, row["token"])


def _digest(email: str) -> str:
    return sha256(email.lower().encode()).hexdigest()


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
