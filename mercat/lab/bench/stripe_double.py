"""A double of Stripe that keeps what it is told: idempotency keys with their answers, intents, refunds that
never exceed what was captured, customers, and cards that work once unless they are attached to one; and that
fails on request.

`stripe-mock` proves the shape of a request, and this proves what happens to the money. By itself
(`python -m mercat.lab.bench.stripe_double PORT DELAY`) it serves a measurement from a process of its own.
"""

import asyncio
import hmac
import itertools
import json
import sys
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Literal

from aiohttp import web

Thing = dict[str, Any]
Fault = Literal["", "hang", "cut", "500", "lost", "late 500"]

_DECLINES = {"pm_card_chargeDeclined": "generic_decline", "pm_card_insufficient": "insufficient_funds"}
_ASKS_FIRST = "pm_card_authenticationRequired"
_CARDS = {"pm_card_visa", _ASKS_FIRST, *_DECLINES}
_USED = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared "
    "with a connected account without Customer attachment, or was detached from a Customer. It may not be "
    "used again. To use a PaymentMethod multiple times, you must attach it to a Customer first."
)
SECRET = "whsec_of_the_double"


class StripeError(Exception):
    def __init__(self, status: int, kind: str, code: str, message: str, **more: Any) -> None:
        self.status = status
        self.body: Thing = {"error": {"type": kind, "code": code, "message": message, **more}}


class StripeDouble:
    """`faults`: what befalls the next requests, one each: `hang`, `cut` and `500` before anything is done,
    and `lost`, `late 500` after it was done. `befalls`: what befalls all requests, in turn, until it is
    emptied."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.faults: list[Fault] = []
        self.befalls: tuple[Fault, ...] = ()
        self.intents: dict[str, Thing] = {}
        self.refunds: dict[str, Thing] = {}
        self.customers: dict[str, Thing] = {}
        self.methods: dict[str, Thing] = {}
        self.keys: dict[str, tuple[str, int, str]] = {}
        self.asked: list[tuple[str, str, Thing, dict[str, str]]] = []
        self.at_once = self.most_at_once = 0
        self._numbers = itertools.count(1)
        self._let_go = asyncio.Event()

    # -- what happened, for tests

    def captured(self) -> list[Thing]:
        return [intent for intent in self.intents.values() if intent["status"] == "succeeded"]

    def net(self) -> int:
        return sum(intent["amount_received"] for intent in self.captured()) - sum(
            refund["amount"] for refund in self.refunds.values()
        )

    def card(self, like: str = "pm_card_visa", customer: str | None = None) -> str:
        """Type a card into Stripe's own field, and return its token. `like`: the test card it behaves as."""
        token = f"pm_{next(self._numbers):06}OfTheDouble"
        self.methods[token] = {
            "id": token,
            "object": "payment_method",
            "type": "card",
            "card": {"brand": "visa", "last4": "4242"},
            "customer": customer,
            "like": like,
            "used": False,
        }
        return token

    def authenticate(self, intent_id: str, ok: bool = True) -> None:
        """Answer the bank as the shopper does."""
        intent = self.intents[intent_id]
        if intent["status"] != "requires_action":
            return
        intent["next_action"] = None
        if ok:
            intent["status"] = "requires_capture"
        else:
            intent["status"] = "requires_payment_method"
            intent["last_payment_error"] = {"code": "payment_intent_authentication_failure"}

    def event(
        self, kind: str, intent: Thing, event_id: str = "evt_1", at: float | None = None, secret: str = SECRET
    ) -> tuple[bytes, str]:
        """Make a webhook and its signature."""
        body = json.dumps(
            {"id": event_id, "object": "event", "type": kind, "data": {"object": intent}}
        ).encode()
        when = str(int(time.time() if at is None else at))
        signature = hmac.new(secret.encode(), when.encode() + b"." + body, sha256).hexdigest()
        return body, f"t={when},v1={signature}"

    # -- the wire

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncGenerator[str]:
        app = web.Application(client_max_size=10**6)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, backlog=4096)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            self._let_go.set()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if not request.headers.get("Authorization", "").startswith("Bearer sk_"):
                return web.json_response({"error": {"type": "invalid_request_error"}}, status=401)
            asked = _nested(
                (await request.post()).items() if request.method == "POST" else request.query.items()
            )
            self.asked.append((request.method, request.path, asked, dict(request.headers)))
            fault = self._fault()
            if self.delay:
                await asyncio.sleep(self.delay)
            if fault == "hang":
                await self._let_go.wait()
            if fault == "cut":
                return _cut(request)
            if fault == "500":
                return web.json_response({"error": {"type": "api_error"}}, status=500)
            status, body, replayed = self._once(request, asked)
            if fault == "lost":
                return _cut(request)
            if fault == "late 500":
                return web.json_response({"error": {"type": "api_error"}}, status=500)
            headers = {"Request-Id": f"req_{next(self._numbers)}"}
            if replayed:
                headers["Idempotent-Replayed"] = "true"
            return web.json_response(body, status=status, headers=headers)
        finally:
            self.at_once -= 1

    def end(self) -> None:
        """No request is befallen any more, and those that hang are let go."""
        self.befalls = ()
        self._let_go.set()
        self._let_go = asyncio.Event()

    def _fault(self) -> Fault:
        if self.faults:
            return self.faults.pop(0)
        return self.befalls[next(self._numbers) % len(self.befalls)] if self.befalls else ""

    def _once(self, request: web.Request, asked: Thing) -> tuple[int, Thing, bool]:
        key = request.headers.get("Idempotency-Key")
        mark = json.dumps([request.path, asked], sort_keys=True)
        if key in self.keys and request.method == "POST":
            first, status, body = self.keys[key]
            if first != mark:
                error = {
                    "type": "idempotency_error",
                    "message": "Keys can only be used with the same parameters.",
                }
                return 400, {"error": error}, False
            return status, json.loads(body), True
        try:
            status, body = 200, self._do(request.method, request.path.removeprefix("/v1/").split("/"), asked)
        except StripeError as error:
            status, body = error.status, error.body
        if key and request.method == "POST":
            self.keys[key] = mark, status, json.dumps(body)
        return status, body, False

    def _do(self, verb: str, path: list[str], asked: Thing) -> Thing:
        match verb, path:
            case "POST", ["payment_intents"]:
                return self._create(asked)
            case "GET", ["payment_intents"]:
                return self._list(asked)
            case "GET", ["payment_intents", "search"]:
                key = asked["query"].split("'")[3]
                found = [i for i in self.intents.values() if i["metadata"].get("checkout") == key]
                return {"object": "search_result", "data": found, "has_more": False, "url": "/v1/search"}
            case "GET", ["payment_intents", intent_id]:
                return self._shown(self._intent(intent_id))
            case "POST", ["payment_intents", intent_id, "capture"]:
                intent = self._expect(intent_id, "requires_capture")
                intent |= {"status": "succeeded", "amount_received": intent["amount"]}
                return self._shown(intent)
            case "POST", ["payment_intents", intent_id, "cancel"]:
                intent = self._expect(
                    intent_id, "requires_capture", "requires_action", "requires_payment_method"
                )
                intent |= {"status": "canceled", "next_action": None}
                return self._shown(intent)
            case "POST", ["refunds"]:
                return self._refund(asked)
            case "GET", ["refunds"]:
                found = [r for r in self.refunds.values() if r["payment_intent"] == asked["payment_intent"]]
                return {"object": "list", "data": found, "has_more": False, "url": "/v1/refunds"}
            case "POST", ["customers"]:
                made = {"id": f"cus_{next(self._numbers):014}", "object": "customer"}
                return self.customers.setdefault(made["id"], made | {"metadata": asked.get("metadata", {})})
            case "GET", ["payment_methods", token]:
                return self._method(token)
            case "POST", ["payment_methods", token, "attach"]:
                return self._attach(token, asked["customer"])
            case _:
                error = "invalid_request_error", "resource_missing", "Unrecognized request URL"
                raise StripeError(404, *error)

    def _create(self, asked: Thing) -> Thing:
        token = asked["payment_method"]
        if token not in _CARDS:
            token = self._use(token, asked.get("customer"))
        intent_id = f"pi_{next(self._numbers):012}"
        intent = self.intents[intent_id] = {
            "id": intent_id,
            "object": "payment_intent",
            "amount": int(asked["amount"]),
            "amount_received": 0,
            "currency": asked["currency"],
            "capture_method": asked.get("capture_method", "automatic"),
            "created": int(time.time()),
            "last_payment_error": None,
            "metadata": asked.get("metadata", {}),
            "next_action": None,
            "status": "requires_capture",
        }
        if token in _DECLINES:
            error = {"code": "card_declined", "decline_code": _DECLINES[token]}
            intent |= {"status": "requires_payment_method", "last_payment_error": error}
            raise StripeError(
                402,
                "card_error",
                "card_declined",
                "Your card was declined.",
                decline_code=_DECLINES[token],
                payment_intent=dict(intent),
            )
        if token == _ASKS_FIRST:
            url = f"https://hooks.stripe.com/3d_secure/{intent_id}"
            step = {
                "type": "redirect_to_url",
                "redirect_to_url": {"url": url, "return_url": asked["return_url"]},
            }
            intent |= {"status": "requires_action", "next_action": step}
        return self._shown(intent)

    def _use(self, token: str, customer: str | None) -> str:
        """Which test card it behaves as, where it may be charged."""
        method = self._method(token)
        if method["customer"] and method["customer"] != customer:
            message = f"The PaymentMethod {token} belongs to a Customer. Please include them."
            raise StripeError(400, "invalid_request_error", "payment_intent_invalid_parameter", message)
        if method["used"] and not method["customer"]:
            raise StripeError(400, "invalid_request_error", "", _USED)
        method["used"] = True
        return method["like"]

    def _attach(self, token: str, customer: str) -> Thing:
        if customer not in self.customers:
            message = f"No such customer: '{customer}'"
            raise StripeError(400, "invalid_request_error", "resource_missing", message, param="customer")
        method = self._method(self.card(token) if token in _CARDS else token)
        if method["like"] in _DECLINES:
            reason = _DECLINES[method["like"]]
            message = "Your card was declined."
            raise StripeError(402, "card_error", "card_declined", message, decline_code=reason)
        if method["used"] and not method["customer"]:
            raise StripeError(400, "invalid_request_error", "", _USED)
        if method["customer"] is not None:
            message = "The payment method you provided has already been attached to a customer."
            raise StripeError(400, "invalid_request_error", "", message)
        method["customer"] = customer
        return method

    def _method(self, token: str) -> Thing:
        if token not in self.methods:
            message = f"No such PaymentMethod: '{token}'"
            raise StripeError(
                400, "invalid_request_error", "resource_missing", message, param="payment_method"
            )
        return self.methods[token]

    def _list(self, asked: Thing) -> Thing:
        made = asked.get("created", {})
        low, high = int(made.get("gte", 0)), int(made.get("lt", 2**62))
        newest = reversed(self.intents.values())
        after, limit = asked.get("starting_after", "~"), int(asked.get("limit", 10))
        found: list[Thing] = []
        for intent in newest:  # in the order they were made
            if low <= intent["created"] < high and intent["id"] < after:
                found.append(intent)
            if len(found) > limit or intent["created"] < low:
                break
        shown = [self._shown(intent, whole=True) for intent in found[:limit]]
        return {"object": "list", "data": shown, "has_more": len(found) > limit, "url": "/v1/payment_intents"}

    def _refund(self, asked: Thing) -> Thing:
        intent = self._expect(asked["payment_intent"], "succeeded")
        amount = int(asked["amount"])
        if amount + self._back(intent) > intent["amount_received"]:
            message = "Refund amount is greater than unrefunded amount on charge"
            raise StripeError(400, "invalid_request_error", "charge_already_refunded", message)
        refund_id = f"re_{next(self._numbers):012}"
        refund = self.refunds[refund_id] = {
            "id": refund_id,
            "object": "refund",
            "amount": amount,
            "metadata": asked.get("metadata", {}),
            "payment_intent": intent["id"],
            "status": "succeeded",
        }
        return refund

    def _back(self, intent: Thing) -> int:
        return sum(r["amount"] for r in self.refunds.values() if r["payment_intent"] == intent["id"])

    def _intent(self, intent_id: str) -> Thing:
        if intent_id not in self.intents:
            raise StripeError(404, "invalid_request_error", "resource_missing", "No such payment_intent")
        return self.intents[intent_id]

    def _expect(self, intent_id: str, *states: str) -> Thing:
        intent = self._intent(intent_id)
        if intent["status"] not in states:
            message = f"This PaymentIntent's status is {intent['status']}."
            raise StripeError(400, "invalid_request_error", "payment_intent_unexpected_state", message)
        return intent

    def _shown(self, intent: Thing, whole: bool = False) -> Thing:
        charge: Any = f"ch_{intent['id']}" if intent["amount_received"] else None
        if charge and whole:
            charge = {"id": charge, "object": "charge", "amount_refunded": self._back(intent)}
        return intent | {"latest_charge": charge}


def _cut(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.close()
    return web.Response()


def _nested(pairs: Iterable[tuple[str, Any]]) -> Thing:
    """`metadata[order]=1` as a form writes it is `{"metadata": {"order": "1"}}`."""
    asked: Thing = {}
    for name, value in pairs:
        outer, _, inner = name.partition("[")
        if inner:
            asked.setdefault(outer, {})[inner.rstrip("]")] = value
        else:
            asked[name] = value
    return asked


async def _serve(port: int, delay: float) -> None:
    async with StripeDouble(delay).serving(port) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
