"""Accounts: opening one, proving that it is one's own, changing it, leaving; who may what."""

from datetime import timedelta

import asyncpg
from msgspec import structs

from mercat import ids
from mercat.accounts.guarding import Guard, Passwords
from mercat.accounts.messages import (
    EMAIL_PROBLEM,
    PERSON_NAME_MAX,
    AccountDetails,
    AccountDisabled,
    Contact,
    Credentials,
    EmailTaken,
    HasAccount,
    InvitedPerson,
    LinkExpired,
    NewPerson,
    PasswordReset,
    PersonChange,
    ResetAsk,
    WrongPassword,
)
from mercat.accounts.operators import hold_operators
from mercat.accounts.rules import (
    account_problem,
    changed_account,
    checked_address,
    normal_email,
    normal_password,
    password_problem,
)
from mercat.accounts.sessions import Sessions
from mercat.accounts.two_factor import TwoFactor
from mercat.ids import AddressId, LinkId, SellerId, UserId
from mercat.kit import clock, sql
from mercat.kit.refusals import Invalid, SignInFirst
from mercat.kit.signing import unseal
from mercat.kit.text import normal_text
from mercat.settings import Settings

queries = sql.load("mercat.accounts")
_CONFIRM_WITHIN = timedelta(days=3)
_RESET_WITHIN = timedelta(hours=1)
_INVITED_FOR = timedelta(days=30)
_PEOPLE = (
    ("ann@example.com", "Ann", ["shopper"]),
    ("bob@example.com", "Bob", ["shopper"]),
    ("ops@example.com", "Olga", ["shopper", "operator"]),
)


class People:
    """The accounts; who is signed in with them is told of what changes."""

    def __init__(
        self, db: asyncpg.Pool, settings: Settings, sessions: Sessions, two_factor: TwoFactor, guard: Guard
    ) -> None:
        self._db = db
        self._links = settings.key("links")
        self._sessions = sessions
        self._two_factor = two_factor
        self._guard = guard
        self._passwords = Passwords()

    async def register(self, person: NewPerson) -> UserId:
        """Open an account; EmailTaken where there is one, Invalid for what `account_problem` finds, and
        TooManyRequests where very many come from one network."""
        return await self._register(person, ["shopper"])

    async def _register(self, person: NewPerson, roles: list[str]) -> UserId:
        email, name = normal_email(person.email, new=True), normal_text(person.name)
        password = normal_password(person.password)
        problem = account_problem(email, password, name)
        if problem or email is None:
            words, pointer = problem or (EMAIL_PROBLEM, "/email")
            raise Invalid(words, pointer=pointer)
        await self._guard.count_newcomer(person.network)
        user_id = await self._open(email, password, name, roles)
        if user_id is None:
            await self._tell_owner(email)
            raise EmailTaken(pointer="/email")
        return user_id

    async def _tell_owner(self, email: str) -> None:
        if await self._guard.may_write_to(email):
            await self._db.fetch(queries.tell_owner, email, ids.new(LinkId))

    async def _open(self, email: str, password: str, name: str, roles: list[str]) -> UserId | None:
        hashed = await self._passwords.hash(password)
        link = ids.new(LinkId), clock.now() + _CONFIRM_WITHIN
        row = await self._db.fetchrow(queries.open, ids.new(UserId), email, name, hashed, roles, *link)
        return UserId(row["user_id"]) if row else None

    async def invite(self, people: list[InvitedPerson]) -> list[UserId | None]:
        """Open accounts without passwords, each with its address, and send a link that sets one,
        good for thirty days; None for who has the e-mail address already, and for what is none. Again it
        invites nobody.

        Invalid for an address that its country does not have: `checked_address` says so beforehand."""
        emails = [normal_email(person.email, new=True) for person in people]
        first = {email.lower(): n for n, email in reversed([*enumerate(emails)]) if email}
        asked = [people[n] for n in first.values()]
        user_ids = [ids.new(UserId) for _ in asked]
        places = [
            (user_id, ids.new(AddressId, user_id.bucket), *structs.astuple(checked_address(person.address)))
            for user_id, person in zip(user_ids, asked, strict=True)
            if person.address is not None
        ]
        async with self._db.acquire() as db, db.transaction():
            rows = await db.fetch(
                queries.invite,
                user_ids,
                [emails[n] for n in first.values()],
                [normal_text(person.name)[:PERSON_NAME_MAX] for person in asked],
                [person.since for person in asked],
                [ids.new(LinkId) for _ in asked],
                clock.now() + _INVITED_FOR,
            )
            opened = {row["user_id"] for row in rows}
            if kept := [each for each in places if each[0] in opened]:
                await db.execute(queries.add_addresses, *sql.columns(kept))
        made = {n: each for n, each in zip(first.values(), user_ids, strict=True) if each in opened}
        return [made.get(n) for n in range(len(people))]

    async def verify(self, credentials: Credentials) -> UserId:
        """Check a password, and the code of who has a second step.

        WrongPassword, TooManyRequests for too many guesses; TwoFactorRequired, WrongCode and AccountDisabled,
        which only who has the password is told. An unknown e-mail takes as long as a wrong password, refused
        alike."""
        if credentials.ticket:
            user_id = self._two_factor.holder(credentials.ticket)
        else:
            user_id = await self._holder(credentials)
        await self._two_factor.check(user_id, credentials.code, credentials.network)
        row = await self._db.fetchrow(queries.by_id, user_id)
        if row is not None and row["disabled_at"] is not None:
            raise AccountDisabled
        return user_id

    async def _holder(self, credentials: Credentials) -> UserId:
        email, password = normal_email(credentials.email), normal_password(credentials.password)
        async with self._guard.guess(email or credentials.email, credentials.network):
            person = await self._db.fetchrow(queries.by_email, email) if email else None
            hashed = person["password"] if person else None
            if not await self._passwords.fits(hashed, password) or person is None:
                raise WrongPassword
        return UserId(person["user_id"])

    async def person(self, user_id: UserId) -> AccountDetails:
        """Return an account; SignInFirst for a guest, who has none."""
        row = await self._db.fetchrow(queries.by_id, user_id)
        if row is None:
            raise SignInFirst
        verified = row["email_verified_at"] is not None
        two_factor = await self._two_factor.is_on(user_id)
        return AccountDetails(user_id, row["email"], verified, row["name"], row["opened_at"], two_factor)

    async def change(self, user_id: UserId, change: PersonChange) -> AccountDetails:
        """Change an account: the name at once, the password too, which ends other sessions; a new e-mail
        address once the link in its letter was followed, and the old one is told.

        Invalid, WrongPassword and TooManyRequests change nothing."""
        row = await self._db.fetchrow(queries.by_id, user_id)
        if row is None:
            raise SignInFirst
        problem, wanted = changed_account(change, row["email"], row["name"])
        if problem:
            raise Invalid(problem[0], pointer=problem[1])
        if wanted.email is not None or wanted.password is not None:
            await self._check_password(user_id, row["password"], change.current_password)
        if wanted.password is not None:
            await self._change_password(user_id, row["password"], wanted.password, change.session_token)
        if wanted.name is not None:
            await self._db.execute(queries.rename, user_id, wanted.name)
            await self._sessions.settle(user_id)
        if wanted.email is not None:
            await self._move_to(user_id, wanted.email)
        return await self.person(user_id)

    async def _check_password(self, user_id: UserId, hashed: str, password: str) -> None:
        """Ask who is signed in for the password; only who has their session can use up these guesses."""
        async with self._guard.guess(f"signed in as {user_id}", ""):
            if not await self._passwords.fits(hashed, normal_password(password)):
                raise WrongPassword("The present password is wrong.", pointer="/current_password")

    async def _change_password(self, user_id: UserId, former: str, password: str, keep: str) -> None:
        """Sessions end before the change too: a crash after it leaves none that the old password began."""
        hashed = await self._passwords.hash(password)
        await self._sessions.end_all(user_id, keep)
        row = await self._db.fetchrow(queries.change_password, user_id, former, hashed, ids.new(LinkId))
        if row is None:  # another request changed it meanwhile
            raise WrongPassword("The present password is wrong.", pointer="/current_password")
        await self._sessions.end_all(user_id, keep)

    async def _move_to(self, user_id: UserId, email: str) -> None:
        """Write to both addresses; to the owner of a new one that is taken: who asks does not learn that."""
        if await self._db.fetchval(queries.has_email, email):
            await self._tell_owner(email)
        elif await self._guard.may_write_to(email):
            expires_at = clock.now() + _CONFIRM_WITHIN
            await self._db.fetch(queries.ask_confirmation, user_id, ids.new(LinkId), email, expires_at)
        await self._db.fetch(queries.tell_former_address, user_id, email, ids.new(LinkId))

    async def ask_confirmation(self, user_id: UserId) -> None:
        """Send the letter again that confirms an e-mail address; none where nothing is to be confirmed."""
        email = await self._db.fetchval(queries.to_confirm, user_id, clock.now())
        if email and await self._guard.may_write_to(email):
            expires_at = clock.now() + _CONFIRM_WITHIN
            await self._db.fetch(queries.ask_confirmation, user_id, ids.new(LinkId), email, expires_at)

    async def confirm_email(self, token: str) -> AccountDetails:
        """Make the address of a link the person's, and confirmed; in running sessions at once.

        LinkExpired; EmailTaken where somebody else opened an account with it meanwhile."""
        try:
            person = await self._db.fetchrow(queries.confirm_email, self._link(token), clock.now())
        except asyncpg.UniqueViolationError:
            raise EmailTaken from None
        if person is None:
            raise LinkExpired
        await self._sessions.settle(UserId(person["user_id"]))
        return await self.person(UserId(person["user_id"]))

    async def ask_reset(self, ask: ResetAsk) -> None:
        """Send a link that sets a new password; whether somebody has the address cannot be told from outside.

        Invalid for what is no address, TooManyRequests where very many come from one network."""
        email = normal_email(ask.email)
        if email is None:
            raise Invalid(EMAIL_PROBLEM, pointer="/email")
        await self._guard.count_newcomer(ask.network)
        if await self._guard.may_write_to(email):
            now = clock.now()
            await self._db.fetch(queries.ask_reset, ids.new(LinkId), email, now, now + _RESET_WITHIN)

    async def leave(self, user_id: UserId, password: str) -> None:
        """Erase an account by its password: addresses, cards, keys and sessions go with it, and every service
        that keeps something of the person is told by the same commit. LastOperator for the only one.

        Sessions end after it too: one that begins meanwhile finds no account, and ends itself."""
        row = await self._db.fetchrow(queries.by_id, user_id)
        if row is None:
            raise SignInFirst
        await self._check_password(user_id, row["password"], password)
        async with self._db.acquire() as db, db.transaction():
            await hold_operators(db, user_id)
            await db.fetch(queries.erase, user_id)
        await self._sessions.end_all(user_id)

    async def erase_guest(self, guest_id: UserId, email: str) -> None:
        """Erase somebody who bought without an account, as `leave` does; `email` is that of their order.
        Again it changes nothing. HasAccount where they have one."""
        if not await self._db.fetch(queries.erase_guest, guest_id, email):
            raise HasAccount
        await self._sessions.end_guest(guest_id)

    async def reset_password(self, reset: PasswordReset) -> None:
        """Set a new password by a letter's link, which is good once, and end all sessions.

        LinkExpired; Invalid leaves the link good."""
        link_id, now = self._link(reset.token), clock.now()
        person = await self._of_reset_link(link_id)
        password = normal_password(reset.password)
        if problem := password_problem(password, person["email"], person["name"]):
            raise Invalid(problem, pointer="/password")
        hashed = await self._passwords.hash(password)
        # Before the change too: a crash after it leaves no session that the old password began.
        await self._sessions.end_all(UserId(person["user_id"]))
        row = await self._db.fetchrow(queries.reset_password, link_id, hashed, now, ids.new(LinkId))
        if row is None:
            raise LinkExpired
        await self._sessions.end_all(UserId(row["user_id"]))

    async def check_reset_link(self, token: str) -> None:
        """Say by LinkExpired, before anybody has thought of a password, that a letter's link sets none."""
        await self._of_reset_link(self._link(token))

    async def _of_reset_link(self, link_id: LinkId) -> asyncpg.Record:
        person = await self._db.fetchrow(queries.person_of_link, link_id, "reset", clock.now())
        if person is None:
            raise LinkExpired
        return person

    def _link(self, token: str) -> LinkId:
        link_id = unseal(self._links, token, LinkId)
        if link_id is None:
            raise LinkExpired
        return link_id

    async def find(self, email: str) -> UserId:
        """Find the account with this e-mail address; Invalid where there is none."""
        person = await self._db.fetchrow(queries.by_email, normal_email(email) or email)
        if person is None:
            raise Invalid("Nobody has an account with this e-mail address.", pointer="/email")
        return UserId(person["user_id"])

    async def contacts(self, user_ids: list[UserId]) -> list[Contact]:
        """List where these people are written to; those without an account, or whose account is disabled, are
        left out."""
        return sql.rows(Contact, await self._db.fetch(queries.contacts, user_ids))

    async def operator_contacts(self) -> list[Contact]:
        """List where operators are written to: the first twenty."""
        return sql.rows(Contact, await self._db.fetch(queries.operators))

    async def claim(self, guest_id: UserId, user_id: UserId) -> None:
        """Make a guest's orders, addresses and payment methods this person's; a guest is claimed once."""
        await self._db.execute(queries.claim, guest_id, user_id)

    async def grant(self, user_id: UserId, role: str, seller_id: SellerId | None = None) -> None:
        """Give a role; running sessions have it at once."""
        person = await self._db.fetchrow(queries.grant, user_id, role, seller_id)
        if person is None:
            raise SignInFirst("Open an account first.")
        await self._sessions.settle(user_id)

    async def create_operator(self, person: NewPerson) -> UserId:
        """Open an account that runs the shop; Invalid and EmailTaken as for any other."""
        return await self._register(person, ["shopper", "operator"])

    async def guests_of(self, user_id: UserId) -> list[UserId]:
        """List the guests this person was."""
        return [UserId(row["guest_id"]) for row in await self._db.fetch(queries.guests_of, user_id)]

    async def seed(self, password: str = "mercat") -> dict[str, UserId]:
        """Open the accounts of the demo, once, and return them by e-mail."""
        for email, name, roles in _PEOPLE:
            await self._open(email, password, name, roles)
        found = {email: await self._db.fetchrow(queries.by_email, email) for email, _, _ in _PEOPLE}
        return {email: UserId(person["user_id"]) for email, person in found.items() if person}
