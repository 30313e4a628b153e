"""Sessions in Valkey, under the hash of their token: who somebody is, and where they are signed in."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import asyncpg
from msgspec import Struct

from mercat import ids
from mercat.accounts.messages import AGENT_MAX, AccountDisabled, RunningSession, Session
from mercat.accounts.rules import API_KEY, caller_of, guest_of, guest_token
from mercat.ids import SessionId, UserId
from mercat.kit import clock, codec, sql
from mercat.kit.refusals import NotFound, SignInFirst
from mercat.kit.rpc import Caller
from mercat.kit.valkey import Store
from mercat.settings import Settings

queries = sql.load("mercat.accounts")
_DAY_S = 24 * 3_600
_SESSION_S = 30 * _DAY_S
_SEEN_EVERY_S = 60
_SEEN_MAX = 50_000


class _Device(Struct, frozen=True):
    """Where a session was begun."""

    session_id: SessionId
    created_at: datetime
    agent: str = ""


class Sessions:
    """`ask_key` says whose a program's key is, which comes in the place of a session's token."""

    def __init__(
        self,
        db: asyncpg.Pool,
        store: Store,
        settings: Settings,
        ask_key: Callable[[str], Awaitable[Caller | None]],
    ) -> None:
        self._db = db
        self._store = store
        self._guests = settings.key("guests")
        self._ask_key = ask_key
        self._seen: dict[str, float] = {}

    async def begin_session(self, user_id: UserId, agent: str = "") -> Session:
        """Start a session of somebody whose password was checked; `agent` is the program they use.
        AccountDisabled, and SignInFirst for who has no account any more."""
        person = await self._standing(user_id)
        session = await self._begin(caller_of(person), agent)
        # Who granted a role meanwhile, erased the account or disabled it did not find this session.
        try:
            now = await self._standing(user_id)
        except (SignInFirst, AccountDisabled):
            await self.end_all(user_id)
            raise
        if caller_of(now) != caller_of(person):
            await self.settle(user_id)
        return session

    async def _standing(self, user_id: UserId) -> Any:
        return _active(await self._db.fetchrow(queries.by_id, user_id))

    async def guest(self) -> Session:
        """Start a session for somebody who has not signed in; no row is written."""
        return await self._begin(Caller(ids.new(UserId)), "")

    async def _begin(self, caller: Caller, agent: str) -> Session:
        token = guest_token(caller.user_id, self._guests) if caller.guest else secrets.token_urlsafe(32)
        await self._store.do("SET", _key(token), codec.encode(caller), "EX", _SESSION_S)
        if not caller.guest:
            device = _Device(ids.new(SessionId), clock.now(), agent[:AGENT_MAX])
            ours, devices = _names(caller.user_id)
            await self._store.do("HSET", devices, _key(token), codec.encode(device))
            await self._store.do("EXPIRE", devices, _SESSION_S)
            await self._store.do("SADD", ours, _key(token))
            await self._store.do("EXPIRE", ours, _SESSION_S)
        return Session(token, caller.user_id, clock.now() + timedelta(seconds=_SESSION_S))

    async def who(self, token: str) -> Caller | None:
        """Say whose session this is, or whose key; None for one that ended or never was.

        A guest's lasts as long again."""
        if token.startswith(API_KEY):
            return await self._ask_key(token)
        kept = await self._kept(token)
        if not kept:
            return await self._restored(token) if kept is None else None
        caller = codec.decode(kept, Caller)
        if not caller.guest:
            await self._note_seen(caller.user_id, _key(token))
        elif _age_s(caller.user_id) > _DAY_S:  # younger ones have nearly all of their time
            await self._store.do("EXPIRE", _key(token), _SESSION_S)
        return caller

    async def _kept(self, token: str) -> bytes | None:
        """Read a session; of a guest who was erased none, wherever they have it."""
        guest = guest_of(token, self._guests)
        if guest is None:
            return await self._store.do("GET", _key(token))
        kept, gone = await self._store.do("MGET", _key(token), _gone(guest))
        return b"" if gone else kept

    async def end_guest(self, guest_id: UserId) -> None:
        """End the session of a guest, whose token nobody knows here; it does not come back when the store
        has lost it, since a tombstone in PostgreSQL stands before that."""
        await self._store.do("SET", _gone(guest_id), b"1", "EX", _SESSION_S)

    async def _note_seen(self, user_id: UserId, key: str) -> None:
        """Note that a session was used, once a minute."""
        now = clock.now().timestamp()
        if now - self._seen.get(key, 0) < _SEEN_EVERY_S:
            return
        if len(self._seen) >= _SEEN_MAX:
            self._seen.clear()
        self._seen[key] = now
        await self._store.do("HSET", _names(user_id)[1], f"{key}/seen", int(now))

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

    async def sign_out(self, token: str) -> None:
        """End a session; one that ended already stays so."""
        if guest_of(token, self._guests) is not None:
            await self._store.do("SET", _key(token), b"", "EX", _SESSION_S)  # not there would be: lost
            return
        kept = await self._store.do("GETDEL", _key(token))
        if kept:
            await self._forget(codec.decode(kept, Caller).user_id, _key(token))

    async def sessions(self, user_id: UserId, token: str = "") -> list[RunningSession]:
        """List where somebody is signed in, the newest first; `token` is that of the current session."""
        found: list[RunningSession] = []
        for key, device, seen in await self._running(user_id):
            current = key == _key(token)
            seen_at = clock.now() if current else seen
            running = device.session_id, device.created_at, seen_at, device.agent, current
            found.append(RunningSession(*running))
        return sorted(found, key=lambda each: each.session_id, reverse=True)

    async def end_session(self, user_id: UserId, session_id: SessionId) -> None:
        """End one of somebody's sessions; NotFound for another's, and for one that ended."""
        for key, device, _ in await self._running(user_id):
            if device.session_id == session_id:
                await self._store.do("DEL", key)
                await self._forget(user_id, key)
                return
        raise NotFound("You have no such session.")

    async def end_others(self, user_id: UserId, token: str) -> None:
        """End all of somebody's sessions but the one with this token."""
        await self.end_all(user_id, token)

    async def _running(self, user_id: UserId) -> list[tuple[str, _Device, datetime]]:
        """List key, begin and last use of each session; what has ended is cleared away."""
        ours, devices = _names(user_id)
        fields: dict[bytes, bytes] = await self._store.do("HGETALL", devices)
        kept = {name.decode(): value for name, value in fields.items()}
        found: list[tuple[str, _Device, datetime]] = []
        for name in await self._store.do("SMEMBERS", ours):
            key = name.decode()
            left_s = await self._store.do("TTL", key)
            if left_s < 0:
                await self._forget(user_id, key)
                continue
            if key in kept:
                device = codec.decode(kept[key], _Device)
            else:  # the previous release began it, and did not say where
                device = _Device(ids.new(SessionId), clock.now() - timedelta(seconds=_SESSION_S - left_s))
                if not await self._store.do("HSETNX", devices, key, codec.encode(device)):
                    device = codec.decode(await self._store.do("HGET", devices, key), _Device)
            seen = kept.get(f"{key}/seen")
            seen_at = datetime.fromtimestamp(int(seen), UTC) if seen else device.created_at
            found.append((key, device, seen_at))
        return found

    async def settle(self, user_id: UserId) -> None:
        """Bring somebody's sessions up to what PostgreSQL says of them; none of who is disabled or gone goes
        on. The person is held meanwhile: what is decided about them waits, and is written after this."""
        async with self._db.acquire() as db, db.transaction():
            try:
                now = caller_of(_active(await db.fetchrow(queries.hold_person, user_id)))
            except (SignInFirst, AccountDisabled):
                await self.end_all(user_id)
            else:
                await self.update_all(now)

    async def update_all(self, caller: Caller) -> None:
        """Bring somebody's sessions up to what is true of them now."""
        ours, _ = _names(caller.user_id)
        for key in await self._store.do("SMEMBERS", ours):
            if not await self._store.do("SET", key, codec.encode(caller), "XX", "KEEPTTL"):
                await self._forget(caller.user_id, key.decode())

    async def end_all(self, user_id: UserId, keep: str = "") -> None:
        """End all sessions of somebody but the one with the token `keep`."""
        ours, _ = _names(user_id)
        for key in await self._store.do("SMEMBERS", ours):
            if key.decode() != _key(keep):
                await self._store.do("DEL", key)
                await self._forget(user_id, key.decode())

    async def _forget(self, user_id: UserId, key: str) -> None:
        ours, devices = _names(user_id)
        await self._store.do("SREM", ours, key)
        await self._store.do("HDEL", devices, key, f"{key}/seen")


def _active(person: Any) -> Any:
    """Return who was read; SignInFirst where they are gone, AccountDisabled where they may not sign in."""
    if person is None:
        raise SignInFirst
    if person["disabled_at"] is not None:
        raise AccountDisabled
    return person


def _names(user_id: UserId) -> tuple[str, str]:
    """Name the set of somebody's sessions, and the hash that says of each where it was begun."""
    return f"sessions:{user_id}", f"devices:{user_id}"


def _gone(guest_id: UserId) -> str:
    return f"gone:{guest_id}"


def _key(token: str) -> str:
    return "session:" + sha256(token.encode()).hexdigest()


def _age_s(guest: UserId) -> float:
    """Tell how long ago a guest first came."""
    return (clock.now() - ids.made_at(guest)).total_seconds()
