"""Stripe's adapter, over its own library: PaymentIntents that are authorised first and captured second.

Money moves only with the capture, and the intent's id is written down before it. Asking with the same
idempotency key is answered as it was the first time, so an answer that was lost is found again; a key is
good for a day, and after that intents are searched by our checkout's id, which each one carries.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import aiohttp
import msgspec
import stripe
from stripe import StripeClient

from mercat.ids import CheckoutId, RefundId, UserId, made_at, parse
from mercat.kit import clock
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.stripe_amounts import NotChargeable, from_stripe, to_stripe
from mercat.payments.messages import KeptCard
from mercat.payments.provider import (
    BadSignature,
    ChargeRequest,
    ChargeResult,
    ChargeState,
    ListedCharge,
    ProviderUnreachable,
    UnknownCustomer,
    WebhookEvent,
)
from mercat.payments.providers.stripe import StripeSettings
from mercat.settings import Settings

TOLERANCE_S = 300
_KEY_LIFETIME = timedelta(hours=23)
_IN_FLIGHT = timedelta(minutes=10)
_PAGES_MAX = 2
_PAGE = 100
_STATES: dict[str, ChargeState] = {
    "succeeded": "captured",
    "requires_capture": "authorised",
    "requires_action": "challenged",
    "requires_payment_method": "declined",
    "requires_confirmation": "declined",
    "canceled": "cancelled",
}
_KEPT_FROM_HOLDERS = frozenset(
    ("fraudulent", "lost_card", "merchant_blacklist", "pickup_card", "stolen_card")
)
"""Reasons that Stripe asks not to tell whoever holds the card."""
_BRANDS = {"amex": "American Express", "jcb": "JCB", "unionpay": "UnionPay"}
stripe.enable_telemetry = False
OurId = TypeVar("OurId", CheckoutId, RefundId)
_signatures: Any = stripe.WebhookSignature  # its decorators hide from a checker what it is


class Stripe:
    """The adapter. A PaymentMethod works once, unless it is attached to a Customer
    (https://docs.stripe.com/payments/payment-methods)."""

    name = "stripe"
    finds_by_our_key = False
    single_use = True
    token = re.compile(r"pm_[A-Za-z0-9_]{1,250}")
    challenge_path = ""

    def __init__(self, settings: Settings) -> None:
        own = settings.part(StripeSettings)
        if not own.stripe_key:
            raise SystemExit("MERCAT_STRIPE_KEY is not set: Stripe needs a secret key.")
        key, public_key = own.stripe_key.reveal(), own.stripe_publishable_key
        if public_key and ("_test_" in key) != ("_test_" in public_key):
            raise SystemExit("MERCAT_STRIPE_KEY and MERCAT_STRIPE_PUBLISHABLE_KEY: one is for tests only.")
        self._settings = settings
        self._secret = own.stripe_webhook_secret
        timeout = aiohttp.ClientTimeout(total=settings.provider_timeout_s)
        self._http = stripe.AIOHTTPClient(
            timeout=timeout, connector=aiohttp.TCPConnector(limit=settings.requests_at_once)
        )
        addresses: Any = {"api": own.stripe_url} if own.stripe_url else {}
        self._stripe = StripeClient(
            key,
            http_client=self._http,
            base_addresses=addresses,
            max_network_retries=0,  # nothing is asked again before it was looked up
        )

    async def customer(self, user_id: UserId, lost: str) -> str:
        """Make a customer; Stripe is told nothing of a person but our id of them."""
        params: Any = {"metadata": {"shopper": str(user_id)}}
        key: Any = {"idempotency_key": f"customer/{user_id}/{lost}"}
        async with _translated_errors():
            return (await self._stripe.v1.customers.create_async(params, key)).id

    async def attach(self, customer: str, token: str) -> KeptCard:
        params: Any = {"customer": customer}
        key: Any = {"idempotency_key": f"attach/{customer}/{token}"}
        try:
            async with _translated_errors():
                return _kept(await self._stripe.v1.payment_methods.attach_async(token, params, key))
        except stripe.CardError as no:
            raise Invalid(
                f"The bank does not take this card ({_reason(no.error)}).", pointer="/token"
            ) from no
        except stripe.InvalidRequestError as no:
            if no.code == "resource_missing" and no.param == "customer":
                raise UnknownCustomer from no
            return await self._attached(customer, token)

    async def _attached(self, customer: str, token: str) -> KeptCard:
        """Return the card if it is attached to this customer already."""
        try:
            async with _translated_errors():
                method = await self._stripe.v1.payment_methods.retrieve_async(token)
        except stripe.InvalidRequestError as no:
            raise Invalid("The provider knows no such token.", pointer="/token") from no
        if method.customer != customer:
            raise Invalid("This token was used before, or is another's.", pointer="/token")
        return _kept(method)

    async def authorise(self, request: ChargeRequest) -> ChargeResult:
        try:
            amount = to_stripe(request.amount, request.currency)
        except NotChargeable as reason:
            return ChargeResult("declined", reason=str(reason))
        params: Any = {
            "amount": amount,
            "currency": request.currency.lower(),
            "payment_method": request.token,
            "payment_method_types": ["card"],
            "capture_method": "manual",
            "confirm": True,
            "return_url": self._settings.link(f"/checkout/back/{request.key}"),
            "metadata": {"checkout": str(request.key), "order": str(request.order_id)},
        }
        if request.customer:
            params["customer"] = request.customer
        key: Any = {"idempotency_key": f"charge/{request.key}"}
        try:
            async with _translated_errors():
                intent = await self._stripe.v1.payment_intents.create_async(params, key)
                if (_headers(intent)).get("Idempotent-Replayed") == "true":
                    intent = await self._stripe.v1.payment_intents.retrieve_async(intent.id)
        except stripe.CardError as no:
            return _declined(no)
        except stripe.IdempotencyError:  # asked before, and our settings have changed since
            return await self._find(request)
        except stripe.InvalidRequestError as no:  # a card it does not know, say
            message = str(no.user_message or no)
            # There is no code for it. Whoever gave the card for one purchase may give it again.
            used_up = "PaymentMethod was previously used" in message
            return ChargeResult("declined", reason="card_used_up" if used_up else message[:200])
        return _result(intent)

    def takes_together(self, token: str) -> bool:
        return False

    async def authorise_many(self, requests: list[ChargeRequest]) -> list[ChargeResult]:
        return [await self.authorise(request) for request in requests]

    async def capture(self, request: ChargeRequest, reference: str) -> ChargeResult:
        key: Any = {"idempotency_key": f"capture/{request.key}"}
        return await self._finished(
            reference, lambda: self._stripe.v1.payment_intents.capture_async(reference, {}, key)
        )

    async def look_up(self, request: ChargeRequest, reference: str) -> ChargeResult:
        if not reference:
            return await self._find(request)
        try:
            async with _translated_errors():
                return _result(await self._stripe.v1.payment_intents.retrieve_async(reference))
        except stripe.InvalidRequestError as no:
            if no.code != "resource_missing":
                raise
            return ChargeResult("unknown")

    async def cancel(self, request: ChargeRequest, reference: str) -> ChargeResult:
        """Cancel the intent, which can then never be paid.

        Where none is found, the key is used up by asking with it: then a request that was on its way finds
        its answer taken."""
        found = ChargeResult("unknown", reference) if reference else await self._find(request)
        if not found.reference:
            age = _age(request.key)
            if age > _KEY_LIFETIME:
                return ChargeResult("cancelled")  # nothing under a key that is as good as none
            try:
                found = await self.authorise(request)
            except ProviderUnreachable:
                if age < _IN_FLIGHT:
                    raise
                found = await self._find(request)  # it arrived by now, or never
        if not found.reference or found.state in ("captured", "cancelled"):
            return found if found.reference else ChargeResult("cancelled", reason=found.reason)
        reference = found.reference
        return await self._finished(
            reference, lambda: self._stripe.v1.payment_intents.cancel_async(reference)
        )

    async def refund(
        self, refund_id: RefundId, request: ChargeRequest, reference: str, amount: int, again: bool
    ) -> None:
        if again and await self._refunded_before(refund_id, reference):
            return
        params: Any = {
            "payment_intent": reference,
            "amount": to_stripe(amount, request.currency),
            "metadata": {"refund": str(refund_id)},
        }
        key: Any = {"idempotency_key": f"refund/{refund_id}"}
        async with _translated_errors():
            await self._stripe.v1.refunds.create_async(params, key)

    async def _refunded_before(self, refund_id: RefundId, reference: str) -> bool:
        params: Any = {"payment_intent": reference, "limit": _PAGE}
        async with _translated_errors():
            made = await self._stripe.v1.refunds.list_async(params)
        return any(
            _metadata(refund.metadata, "refund") == str(refund_id)
            and refund.status not in ("failed", "canceled")
            for refund in made.data
        )

    async def answer_challenge(self, key: CheckoutId, approve: bool) -> None:
        raise NotFound  # the bank's page is Stripe's

    def read_webhook(self, body: bytes, signature: str) -> WebhookEvent:
        if not self._secret:
            raise BadSignature("No webhooks are expected: MERCAT_STRIPE_WEBHOOK_SECRET is not set.")
        try:
            _signatures.verify_header(body.decode(), signature, self._secret.reveal(), TOLERANCE_S)
        except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError) as error:
            raise BadSignature from error
        event = msgspec.json.decode(body, type=_Event)
        subject = event.data.object
        failed = event.type in ("refund.failed", "charge.refund.updated") and subject.status == "failed"
        return WebhookEvent(
            event.id,
            event.type,
            _checkout_id(subject.metadata) if subject.object == "payment_intent" else None,
            f"{subject.id} of {subject.payment_intent or '?'}" if failed else "",
            _our_id(subject.metadata, "refund", RefundId) if failed else None,
        )

    async def listed(self, since: datetime, until: datetime) -> AsyncIterator[list[ListedCharge]]:
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
        async with _translated_errors():
            return list((await self._stripe.v1.payment_intents.list_async(params)).data)

    async def _find(self, request: ChargeRequest) -> ChargeResult:
        """Find the intent of a checkout whose reference we never got.

        Stripe's search is a minute late, so a young one is looked for among the newest. In a busy shop it is
        not there, and asking with the key finds it: a long search for each purchase in doubt would keep the
        shop down when Stripe is back."""
        if _age(request.key) > _IN_FLIGHT:
            params: Any = {"query": f"metadata['checkout']:'{request.key}'", "limit": 1}
            async with _translated_errors():
                found = list((await self._stripe.v1.payment_intents.search_async(params)).data)
            return _result(found[0]) if found else ChargeResult("unknown")
        asked_at = made_at(request.key)
        since, until = asked_at - timedelta(minutes=1), asked_at + _IN_FLIGHT
        after: str | None = None
        for _ in range(_PAGES_MAX):
            page = await self._page(since, until, after)
            for intent in page:
                if _checkout_id(intent.metadata) == request.key:
                    return _result(intent)
            if len(page) < _PAGE:
                break
            after = page[-1].id
        return ChargeResult("unknown")

    async def _finished(self, reference: str, work: Callable[[], Awaitable[Any]]) -> ChargeResult:
        """Capture or cancel; where the intent is past that, return how it stands."""
        try:
            async with _translated_errors():
                return _result(await work())
        except stripe.CardError as no:
            return _declined(no)
        except stripe.InvalidRequestError as no:
            if no.code != "payment_intent_unexpected_state":
                raise
        async with _translated_errors():
            return _result(await self._stripe.v1.payment_intents.retrieve_async(reference))


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
async def _translated_errors() -> AsyncGenerator[None]:
    """Raise ProviderUnreachable for what leaves the outcome unknown.

    That is no answer, a broken one, 5xx, 429, or a key whose first request still runs."""
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError, aiohttp.ClientError, TimeoutError) as error:
        raise ProviderUnreachable(type(error).__name__) from error
    except stripe.APIError as error:
        raise ProviderUnreachable(f"status {error.http_status}") from error
    except stripe.StripeError as error:
        if error.http_status == 409:
            raise ProviderUnreachable("the same key is on its way") from error
        raise


def _headers(response: Any) -> Any:
    return response.last_response.headers or {}


def _result(intent: Any) -> ChargeResult:
    if intent.status == "processing":
        raise ProviderUnreachable("the bank has not decided")
    step = intent.next_action
    url = step.redirect_to_url.url if step and step.type == "redirect_to_url" else ""
    failed = intent.last_payment_error
    amount = from_stripe(intent.amount_received or intent.amount, intent.currency.upper())
    return ChargeResult(_STATES.get(intent.status, "unknown"), intent.id, amount, _reason(failed), url)


def _kept(method: Any) -> KeptCard:
    if method.type != "card":
        raise Invalid("This token is no card's.", pointer="/token")
    card = method.card
    brand = _BRANDS.get(card.brand) or card.brand.replace("_", " ").capitalize()
    return KeptCard(method.id, brand, card.last4)


def _declined(no: "stripe.CardError") -> ChargeResult:
    intent = getattr(no.error, "payment_intent", None)
    return ChargeResult("declined", intent.id if intent else "", reason=_reason(no.error) or no.code or "")


def _reason(error: Any) -> str:
    """Return the bank's code for a refusal, or Stripe's, such as insufficient_funds."""
    why = _metadata(error, "decline_code") or _metadata(error, "code")
    return "generic_decline" if why in _KEPT_FROM_HOLDERS else why


def _listed(intent: Any) -> ListedCharge:
    currency = intent.currency.upper()
    charge = intent.latest_charge
    refunded = charge.amount_refunded if charge and not isinstance(charge, str) else 0
    return ListedCharge(
        _checkout_id(intent.metadata),
        intent.id,
        _STATES.get(intent.status, "unknown"),
        from_stripe(intent.amount_received or intent.amount, currency),
        from_stripe(refunded, currency),
        currency,
    )


def _checkout_id(metadata: Any) -> CheckoutId | None:
    return _our_id(metadata, "checkout", CheckoutId)


def _our_id(metadata: Any, name: str, kind: type[OurId]) -> OurId | None:
    try:
        return parse(kind, _metadata(metadata, name))
    except ValueError:
        return None


def _metadata(metadata: Any, name: str) -> str:
    """Read what we wrote on one of Stripe's objects, whose own type for it is no dict."""
    try:
        return str(metadata[name] or "")
    except (KeyError, TypeError):
        return ""


def _age(key: CheckoutId) -> timedelta:
    return clock.now() - made_at(key)
