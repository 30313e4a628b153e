"""The second step of signing in: a code of an authenticator app (TOTP, RFC 6238), or a recovery code."""

import hmac
import secrets
from base64 import b32encode
from hashlib import sha256

import asyncpg
from msgspec import Struct
from pyotp.totp import TOTP

from mercat import ids
from mercat.accounts.guarding import Guard
from mercat.accounts.messages import TwoFactorOff, TwoFactorOn, TwoFactorRequired, TwoFactorStart, WrongCode
from mercat.ids import LinkId, UserId
from mercat.kit import clock, sql
from mercat.kit.refusals import SignInFirst
from mercat.kit.signing import seal, unseal
from mercat.settings import Settings

queries = sql.load("mercat.accounts")
_ISSUER = "Mercat"
_STEP_S = 30
_DRIFT = 1
"""Time steps that a clock may be ahead or behind (RFC 6238, 5.2)."""
_NONCE = 16
_TICKET_S = 300
_CODES = 10
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUP = 5


class _Ticket(Struct, frozen=True, array_like=True):
    """Whose password was right, and until when that is enough."""

    user_id: UserId
    until: float


class TwoFactor:
    def __init__(self, db: asyncpg.Pool, settings: Settings, guard: Guard) -> None:
        self._db = db
        self._secrets = settings.key("second step")
        self._recovery = settings.key("recovery codes")
        self._tickets = settings.key("second step tickets")
        self._guard = guard

    async def begin_two_factor(self, user_id: UserId) -> TwoFactorStart:
        """Begin a second step; it counts once it is confirmed. Again before that begins anew; TwoFactorOn."""
        email = await self._db.fetchval(queries.email_of, user_id)
        if email is None:
            raise SignInFirst
        nonce, codes = secrets.token_bytes(_NONCE), [_recovery_code() for _ in range(_CODES)]
        begun = await self._db.fetchval(
            queries.begin_second_step, user_id, nonce, [self._digest(user_id, code) for code in codes]
        )
        if begun is None:
            raise TwoFactorOn
        secret = self._secret(user_id, nonce)
        url = TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER)
        return TwoFactorStart(secret, url, codes)

    async def confirm_two_factor(self, user_id: UserId, code: str, network: str = "") -> None:
        """Switch the second step on by a first code of the app; WrongCode, TwoFactorOff if none was begun."""
        async with self._guard.code(user_id, network):
            row = await self._db.fetchrow(queries.second_step, user_id)
            if row is None:
                raise TwoFactorOff
            if row["confirmed_at"] is not None:
                raise TwoFactorOn
            step = self._step_of(user_id, row["nonce"], code)
            now, notice_id = clock.now(), ids.new(LinkId)
            args = (user_id, row["nonce"], step or 0, now, notice_id)
            if step is None or await self._db.fetchval(queries.confirm_second_step, *args) is None:
                raise WrongCode(pointer="/code")

    async def end_two_factor(self, user_id: UserId, code: str, network: str = "") -> None:
        """Switch the second step off, by a code; WrongCode, TwoFactorOff."""
        if not await self.is_on(user_id):
            raise TwoFactorOff
        await self.check(user_id, code, network)
        await self._db.execute(queries.end_second_step, user_id, ids.new(LinkId))

    async def is_on(self, user_id: UserId) -> bool:
        """Say whether somebody signs in with a second step."""
        return await self._db.fetchval(queries.has_second_step, user_id)

    async def check(self, user_id: UserId, code: str, network: str) -> None:
        """Check the code of who has a second step; each is good once. TwoFactorRequired, WrongCode."""
        row = await self._db.fetchrow(queries.second_step, user_id)
        if row is None or row["confirmed_at"] is None:
            return
        if not code.strip():
            ticket = _Ticket(user_id, clock.now().timestamp() + _TICKET_S)
            raise TwoFactorRequired(ticket=seal(self._tickets, ticket))
        async with self._guard.code(user_id, network):
            step = self._step_of(user_id, row["nonce"], code)
            if step is not None:
                taken = await self._db.fetchval(queries.spend_step, user_id, step)
            else:
                digest = self._digest(user_id, code)
                taken = await self._db.fetchval(queries.spend_recovery_code, user_id, digest)
            if taken is None:
                raise WrongCode(pointer="/code")

    def holder(self, ticket: str) -> UserId:
        """Return whose password was right, by the ticket of TwoFactorRequired; SignInFirst once it is old."""
        found = unseal(self._tickets, ticket, _Ticket)
        if found is None or found.until < clock.now().timestamp():
            raise SignInFirst("That took too long. Sign in again.")
        return found.user_id

    def _secret(self, user_id: UserId, nonce: bytes) -> str:
        derived = hmac.digest(self._secrets, int(user_id).to_bytes(8, "big") + nonce, sha256)
        return b32encode(derived[:20]).decode()  # 160 bits, as RFC 4226 recommends

    def _step_of(self, user_id: UserId, nonce: bytes, code: str) -> int | None:
        """Find the time step whose code this is; None where it is none of about now."""
        digits = "".join(code.split())
        if not (digits.isascii() and digits.isdigit()):
            return None
        generator = TOTP(self._secret(user_id, nonce), interval=_STEP_S)
        now = int(clock.now().timestamp()) // _STEP_S
        steps = range(now - _DRIFT, now + _DRIFT + 1)
        fits = [step for step in steps if hmac.compare_digest(generator.at(step * _STEP_S), digits)]
        return max(fits, default=None)

    def _digest(self, user_id: UserId, code: str) -> bytes:
        """Hash a recovery code with the shop's key: who reads the table cannot try them out."""
        plain = "".join(each for each in code.lower() if each.isalnum())
        return hmac.digest(self._recovery, int(user_id).to_bytes(8, "big") + plain.encode(), sha256)


def _recovery_code() -> str:
    letters = [secrets.choice(_LETTERS) for _ in range(2 * _GROUP)]
    return "".join(letters[:_GROUP]) + "-" + "".join(letters[_GROUP:])
