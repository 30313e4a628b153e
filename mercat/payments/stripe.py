"""Stripe, through its own library: PaymentIntents that are authorised first and captured second.

Money moves only with the capture, and the intent's id is written down before it. Asking with the same
idempotency key is answered as it was the first time, so an answer that was lost is found again; a key is
good for a day, and after that intents are searched by our checkout's id, which each one carries.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import aiohttp
import msgspec
import stripe
from stripe import StripeClient

from mercat import ids, money
from mercat.ids import CheckoutId, RefundId, UserId, parse
from mercat.kit import clock
from mercat.kit.refusals import Invalid
from mercat.payments.messages import KeptCard
from mercat.payments.provider import Answer, Ask, Away, BadSignature, Listed, NoCustomer, Notice, State
from mercat.settings import Settings

TOLERANCE_S = 300
_KEY_LIVES = timedelta(hours=23)
_LOST = timedelta(minutes=10)
_PAGES_MAX = 2
_PAGE = 100
# https://docs.stripe.com/currencies: what Stripe counts in whole units, and the two that have no fraction
# in ISO 4217 but two decimals there, which must be 00.
_WHOLE = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_AS_HUNDREDTHS = frozenset(("ISK", "UGX"))
_STATES: dict[str, State] = {
    "succeeded": "captured",
    "requires_capture": "authorised",
    "requires_action": "challenged",
    "requires_payment_method": "declined",
    "requires_confirmation": "declined",
    "canceled": "cancelled",
}
_NOT_TOLD = frozenset(("fraudulent", "lost_card", "merchant_blacklist", "pickup_card", "stolen_card"))
"""Reasons that Stripe asks not to tell whoever holds the card."""
_BRANDS = {"amex": "American Express", "jcb": "JCB", "unionpay": "UnionPay"}
stripe.enable_telemetry = False
Ours = TypeVar("Ours", CheckoutId, RefundId)
_signatures: Any = stripe.WebhookSignature  # its decorators hide from a checker what it is


class NotChargeable(ValueError):
    """Stripe cannot charge this amount in this currency."""


def theirs(amount: int, currency: str) -> int:
    """An amount as Stripe counts it. Of three decimals the last must be 0: NotChargeable otherwise."""
    if currency in _AS_HUNDREDTHS:
        return amount * 100
    digits = money.exponent(currency)
    if digits == 3 and amount % 10:
        raise NotChargeable(f"Stripe charges {currency} in steps of 0.010")
    if (digits == 0) != (currency in _WHOLE):
        raise NotChargeable(f"it is not known how Stripe counts {currency}")
    return amount


def ours(amount: int, currency: str) -> int:
    return amount // 100 if currency in _AS_HUNDREDTHS else amount


class Stripe:
    """`remembers` is false: it finds a charge by its own reference. `once`: a PaymentMethod works once,
    unless it is attached to a Customer (https://docs.stripe.com/payments/payment-methods)."""

    name = "stripe"
    remembers = False
    once = True

    def __init__(self, settings: Settings) -> None:
        if not settings.stripe_key:
            raise SystemExit("MERCAT_STRIPE_KEY is not set: Stripe needs a secret key.")
        key, shown = settings.stripe_key.reveal(), settings.stripe_publishable_key
        if shown and ("_test_" in key) != ("_test_" in shown):
            raise SystemExit("MERCAT_STRIPE_KEY and MERCAT_STRIPE_PUBLISHABLE_KEY: one is for tests only.")
        self._settings = settings
        self._secret = settings.stripe_webhook_secret
        timeout = aiohttp.ClientTimeout(total=settings.provider_timeout_s)
        self._http = stripe.AIOHTTPClient(
            timeout=timeout, connector=aiohttp.TCPConnector(limit=settings.requests_at_once)
        )
        addresses: Any = {"api": settings.stripe_url} if settings.stripe_url else {}
        self._stripe = StripeClient(
            key,
            http_client=self._http,
            base_addresses=addresses,
            max_network_retries=0,  # nothing is asked again before it was looked up
        )

    async def customer(self, user_id: UserId, lost: str) -> str:
        """Nothing of a person is told but our id of them."""
        params: Any = {"metadata": {"shopper": str(user_id)}}
        key: Any = {"idempotency_key": f"customer/{user_id}/{lost}"}
        async with _answers():
            return (await self._stripe.v1.customers.create_async(params, key)).id

    async def attach(self, customer: str, token: str) -> KeptCard:
        params: Any = {"customer": customer}
        key: Any = {"idempotency_key": f"attach/{customer}/{token}"}
        try:
            async with _answers():
                return _kept(await self._stripe.v1.payment_methods.attach_async(token, params, key))
        except stripe.CardError as no:
            raise Invalid(f"The bank does not take this card ({_why(no.error)}).", pointer="/token") from no
        except stripe.InvalidRequestError as no:
            if no.code == "resource_missing" and no.param == "customer":
                raise NoCustomer from no
            return await self._attached(customer, token)

    async def _attached(self, customer: str, token: str) -> KeptCard:
        """The card, if it is this customer's already."""
        try:
            async with _answers():
                method = await self._stripe.v1.payment_methods.retrieve_async(token)
        except stripe.InvalidRequestError as no:
            raise Invalid("The provider knows no such token.", pointer="/token") from no
        if method.customer != customer:
            raise Invalid("This token was used before, or is another's.", pointer="/token")
        return _kept(method)

    async def authorise(self, ask: Ask) -> Answer:
        try:
            amount = theirs(ask.amount, ask.currency)
        except NotChargeable as reason:
            return Answer("declined", reason=str(reason))
        params: Any = {
            "amount": amount,
            "currency": ask.currency.lower(),
            "payment_method": ask.token,
            "payment_method_types": ["card"],
            "capture_method": "manual",
            "confirm": True,
            "return_url": self._settings.link(f"/checkout/back/{ask.key}"),
            "metadata": {"checkout": str(ask.key), "order": str(ask.order_id)},
        }
        if ask.customer:
            params["customer"] = ask.customer
        key: Any = {"idempotency_key": f"charge/{ask.key}"}
        try:
            async with _answers():
                intent = await self._stripe.v1.payment_intents.create_async(params, key)
                if (_headers(intent)).get("Idempotent-Replayed") == "true":
                    intent = await self._stripe.v1.payment_intents.retrieve_async(intent.id)
        except stripe.CardError as no:
            return _declined(no)
        except stripe.IdempotencyError:  # asked before, and our settings have changed since
            return await self._find(ask)
        except stripe.InvalidRequestError as no:  # a card it does not know, say
            said = str(no.user_message or no)
            # There is no code for it. Whoever gave the card for one purchase may give it again.
            used_up = "PaymentMethod was previously used" in said
            return Answer("declined", reason="card_used_up" if used_up else said[:200])
        return _answer(intent)

    async def capture(self, ask: Ask, reference: str) -> Answer:
        key: Any = {"idempotency_key": f"capture/{ask.key}"}
        return await self._settled(
            reference, lambda: self._stripe.v1.payment_intents.capture_async(reference, {}, key)
        )

    async def look_up(self, ask: Ask, reference: str) -> Answer:
        if not reference:
            return await self._find(ask)
        try:
            async with _answers():
                return _answer(await self._stripe.v1.payment_intents.retrieve_async(reference))
        except stripe.InvalidRequestError as no:
            if no.code != "resource_missing":
                raise
            return Answer("unknown")

    async def cancel(self, ask: Ask, reference: str) -> Answer:
        """An intent that is cancelled can never be paid. Where none is found, the key is used up: then what
        was on its way is answered too."""
        found = Answer("unknown", reference) if reference else await self._find(ask)
        if not found.reference:
            age = _age(ask.key)
            if age > _KEY_LIVES:
                return Answer("cancelled")  # nothing under a key that is as good as none
            try:
                found = await self.authorise(ask)
            except Away:
                if age < _LOST:
                    raise
                found = await self._find(ask)  # it arrived by now, or never
        if not found.reference or found.state in ("captured", "cancelled"):
            return found if found.reference else Answer("cancelled", reason=found.reason)
        reference = found.reference
        return await self._settled(reference, lambda: self._stripe.v1.payment_intents.cancel_async(reference))

    async def refund(self, refund_id: RefundId, ask: Ask, reference: str, amount: int, again: bool) -> None:
        if again and await self._refunded_before(refund_id, reference):
            return
        params: Any = {
            "payment_intent": reference,
            "amount": theirs(amount, ask.currency),
            "metadata": {"refund": str(refund_id)},
        }
        key: Any = {"idempotency_key": f"refund/{refund_id}"}
        async with _answers():
            await self._stripe.v1.refunds.create_async(params, key)

    async def _refunded_before(self, refund_id: RefundId, reference: str) -> bool:
        params: Any = {"payment_intent": reference, "limit": _PAGE}
        async with _answers():
            made = await self._stripe.v1.refunds.list_async(params)
        return any(
            _noted(refund.metadata, "refund") == str(refund_id)
            and refund.status not in ("failed", "canceled")
            for refund in made.data
        )

    def hear(self, body: bytes, signature: str) -> Notice:
        if not self._secret:
            raise BadSignature("No notices are expected: MERCAT_STRIPE_WEBHOOK_SECRET is not set.")
        try:
            _signatures.verify_header(body.decode(), signature, self._secret.reveal(), TOLERANCE_S)
        except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError) as error:
            raise BadSignature from error
        event = msgspec.json.decode(body, type=_Event)
        subject = event.data.object
        failed = event.type in ("refund.failed", "charge.refund.updated") and subject.status == "failed"
        return Notice(
            event.id,
            event.type,
            _checkout(subject.metadata) if subject.object == "payment_intent" else None,
            f"{subject.id} of {subject.payment_intent or '?'}" if failed else "",
            _ours(subject.metadata, "refund", RefundId) if failed else None,
        )

    async def listed(self, since: datetime, until: datetime) -> AsyncIterator[list[Listed]]:
        after: str | None = None
        while True:
            page = await self._page(since, until, after)
            yield [_listed(intent) for intent in page]
            if len(page) < _PAGE:
                return
            after = page[-1].id

    async def close(self) -> None:
        await self._http.close_async()

    async def _page(self, since: datetime, until: datetime, after: str | None) -> list[Any]:
        params: Any = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "limit": _PAGE,
            "expand": ["data.latest_charge"],
        }
        if after:
            params["starting_after"] = after
        async with _answers():
            return list((await self._stripe.v1.payment_intents.list_async(params)).data)

    async def _find(self, ask: Ask) -> Answer:
        """The intent of a checkout whose id was never heard. Stripe's search is a minute late, so a young one
        is looked for among the newest. In a busy shop it is not there, and asking with the key finds it: a
        long search for each purchase in doubt would keep the shop down when Stripe is back."""
        if _age(ask.key) > _LOST:
            params: Any = {"query": f"metadata['checkout']:'{ask.key}'", "limit": 1}
            async with _answers():
                found = list((await self._stripe.v1.payment_intents.search_async(params)).data)
            return _answer(found[0]) if found else Answer("unknown")
        asked = ids.made_at(ask.key)
        since, until = asked - timedelta(minutes=1), asked + _LOST
        after: str | None = None
        for _ in range(_PAGES_MAX):
            page = await self._page(since, until, after)
            for intent in page:
                if _checkout(intent.metadata) == ask.key:
                    return _answer(intent)
            if len(page) < _PAGE:
                break
            after = page[-1].id
        return Answer("unknown")

    async def _settled(self, reference: str, work: Callable[[], Awaitable[Any]]) -> Answer:
        """Captures or cancels; where the intent is past that, how it stands."""
        try:
            async with _answers():
                return _answer(await work())
        except stripe.CardError as no:
            return _declined(no)
        except stripe.InvalidRequestError as no:
            if no.code != "payment_intent_unexpected_state":
                raise
        async with _answers():
            return _answer(await self._stripe.v1.payment_intents.retrieve_async(reference))


class _Object(msgspec.Struct):
    id: str = ""
    object: str = ""
    metadata: dict[str, str] = {}
    status: str | None = None
    payment_intent: str | None = None


class _Data(msgspec.Struct):
    object: _Object


class _Event(msgspec.Struct):
    id: str
    type: str
    data: _Data


@asynccontextmanager
async def _answers() -> AsyncGenerator[None]:
    """What leaves us in the dark is Away: no answer, a broken one, 5xx, 429, or the key still on its way."""
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError, aiohttp.ClientError, TimeoutError) as error:
        raise Away(type(error).__name__) from error
    except stripe.APIError as error:
        raise Away(f"status {error.http_status}") from error
    except stripe.StripeError as error:
        if error.http_status == 409:
            raise Away("the same key is on its way") from error
        raise


def _headers(said: Any) -> Any:
    return said.last_response.headers or {}


def _answer(intent: Any) -> Answer:
    if intent.status == "processing":
        raise Away("the bank has not decided")
    step = intent.next_action
    url = step.redirect_to_url.url if step and step.type == "redirect_to_url" else ""
    failed = intent.last_payment_error
    amount = ours(intent.amount_received or intent.amount, intent.currency.upper())
    return Answer(_STATES.get(intent.status, "unknown"), intent.id, amount, _why(failed), url)


def _kept(method: Any) -> KeptCard:
    if method.type != "card":
        raise Invalid("This token is no card's.", pointer="/token")
    card = method.card
    brand = _BRANDS.get(card.brand) or card.brand.replace("_", " ").capitalize()
    return KeptCard(method.id, brand, card.last4)


def _declined(no: "stripe.CardError") -> Answer:
    intent = getattr(no.error, "payment_intent", None)
    return Answer("declined", intent.id if intent else "", reason=_why(no.error) or no.code or "")


def _why(error: Any) -> str:
    """The bank's reason, or Stripe's: a word such as insufficient_funds."""
    why = _noted(error, "decline_code") or _noted(error, "code")
    return "generic_decline" if why in _NOT_TOLD else why


def _listed(intent: Any) -> Listed:
    currency = intent.currency.upper()
    charge = intent.latest_charge
    refunded = charge.amount_refunded if charge and not isinstance(charge, str) else 0
    return Listed(
        _checkout(intent.metadata),
        intent.id,
        _STATES.get(intent.status, "unknown"),
        ours(intent.amount_received or intent.amount, currency),
        ours(refunded, currency),
        currency,
    )


def _checkout(metadata: Any) -> CheckoutId | None:
    return _ours(metadata, "checkout", CheckoutId)


def _ours(metadata: Any, name: str, kind: type[Ours]) -> Ours | None:
    try:
        return parse(kind, _noted(metadata, name))
    except ValueError:
        return None


def _noted(metadata: Any, name: str) -> str:
    """What we wrote on one of their objects; their own type of it is no dict."""
    try:
        return str(metadata[name] or "")
    except (KeyError, TypeError):
        return ""


def _age(key: CheckoutId) -> timedelta:
    return clock.now() - ids.made_at(key)
