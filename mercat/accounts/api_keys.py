"""Keys that sellers make for their programs: shown once, kept as a hash, good for what they are made for."""

import base64
import hmac
import secrets
from hashlib import sha256

import asyncpg

from mercat import ids
from mercat.accounts.messages import ApiKey, ApiKeyEnded, MadeApiKey, NewApiKey, TooMany
from mercat.accounts.rules import API_KEY
from mercat.ids import ApiKeyId, SellerId, UserId
from mercat.kit import clock, sql
from mercat.kit.once import OnceKey, once_of
from mercat.kit.refusals import NotFound
from mercat.kit.rpc import Caller

queries = sql.load("mercat.accounts")
_SHOWN = len(API_KEY) + 8


class ApiKeys:
    def __init__(self, db: asyncpg.Pool, secret: bytes) -> None:
        self._db = db
        self._secret = secret

    async def make_api_key(
        self, seller_id: SellerId, user_id: UserId, asked: NewApiKey, once: OnceKey = ""
    ) -> MadeApiKey:
        """Make a key of a seller; TooMany beyond fifty. Who asks the same again under the same `once` gets
        the same: it follows from what is asked and the shop's secret key, so nothing that is kept has it.
        ApiKeyEnded where it has ended since."""
        said = once_of(once, seller_id, asked)
        key = API_KEY + (_derived(self._secret, said) if said else secrets.token_urlsafe(32))
        key_id, prefix = ids.new(ApiKeyId), key[:_SHOWN]
        made = await self._db.fetchval(
            queries.make_api_key,
            key_id,
            seller_id,
            user_id,
            " ".join(asked.name.split()),
            sorted(set(asked.scopes)),
            _digest(key),
            prefix,
            clock.now(),
        )
        if made is None:
            ended = await self._db.fetchval(queries.is_ended, _digest(key))
            raise ApiKeyEnded if ended else TooMany
        return MadeApiKey(ApiKeyId(made), key, prefix)

    async def api_keys(self, seller_id: SellerId) -> list[ApiKey]:
        """List a seller's keys, the newest first."""
        return sql.rows(ApiKey, await self._db.fetch(queries.api_keys, seller_id))

    async def end_api_key(self, seller_id: SellerId, key_id: ApiKeyId) -> None:
        """End a key, at once; NotFound for another seller's."""
        if await self._db.fetchval(queries.end_api_key, seller_id, key_id) is None:
            raise NotFound("You have no such key.")

    async def caller_with(self, key: str) -> Caller | None:
        """Say for which seller a key acts and what it may; None for one that is not, or whose seller is none
        any more. As a person it is nobody: its user id is its own."""
        row = await self._db.fetchrow(queries.seller_with_key, _digest(key), clock.now())
        if row is None:
            return None
        return Caller(
            UserId(row["api_key_id"]),
            frozenset({"seller"}),
            SellerId(row["seller_id"]),
            name=row["name"],
            scopes=frozenset(row["scopes"]),
        )


def _derived(secret: bytes, said: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.new(secret, said, sha256).digest()).decode().rstrip("=")


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()
