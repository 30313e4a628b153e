"""The operator's desk for money: the trial balance, differences to the provider's books, and what recovery
has given up."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat.ids import CaseId
from mercat.kit.refusals import Refusal
from mercat.payments import ReconciliationCase
from mercat.services import Services
from mercat.storefront.visit import Visits, shown_id, trouble

KINDS = {
    "charged_without_payment": "Charged, and no payment of ours",
    "payment_without_charge": "A payment of ours, and no charge",
    "amount_differs": "Another amount",
    "refund_differs": "Another refund",
    "authorisation_left": "Money held for nobody",
    "refund_failed": "A refund that failed",
}
_ACCOUNTS = {
    "provider": "Held by the payment provider",
    "sellers": "Payable to sellers",
    "commission": "Commission earned",
    "shipping": "Delivery charged",
    "tax": "Tax collected",
    "discounts": "Given away as discounts",
    "refunds": "Refunds decided, not yet paid back",
    "shopper": "Held for shoppers without an order",
}
_SORTS: dict[str, Callable[[ReconciliationCase], Any]] = {
    "newest": lambda case: -case.case_id,
    "oldest": lambda case: case.case_id,
    "largest": lambda case: -abs(case.ours - case.theirs),
    "kind": lambda case: (KINDS.get(case.kind, case.kind), case.case_id),
}


class MoneyDesk:
    def __init__(self, visits: Visits, shop: Services) -> None:
        self._visits = visits
        self._shop = shop

    async def money(self, request: Request) -> Response:
        return await self._money(request)

    async def balance(self, request: Request) -> Response:
        """Adds the whole journal up, so it is asked for."""
        await self._visits.form(request)
        await self._visits.with_role(request, "operator")
        lines = await self._shop.payments.trial_balance(sellers_together=True)
        sums: dict[str, int] = {}
        for line in lines:
            sums[line.currency] = sums.get(line.currency, 0) + line.balance
        return await self._money(request, balances=lines, sums=sums)

    async def resolve(self, request: Request) -> Response:
        form = await self._visits.form(request)
        caller = await self._visits.with_role(request, "operator")
        case_id = shown_id(request.path_params["case"], CaseId)
        try:
            await self._shop.payments.resolve(case_id, caller.email or caller.name, form.get("note", ""))
        except Refusal as refused:
            return await self._money(request, refused=refused, noted={str(case_id): form.get("note", "")})
        return self._visits.go(request, "/operator/money")

    async def parked(self, request: Request, refused: Refusal | None = None) -> Response:
        caller = await self._visits.with_role(request, "operator")
        return await self._visits.page(
            request,
            "operator_parked.html",
            refused.status if refused else 200,
            desk="operator",
            desk_name=caller.name,
            here="parked",
            parked=await self._shop.checkout.parked(),
            refused=trouble(refused) if refused else None,
        )

    async def retry(self, request: Request) -> Response:
        form = await self._visits.form(request)
        await self._visits.with_role(request, "operator")
        try:
            await self._shop.checkout.retry(form.get("reference", "")[:60])
        except Refusal as refused:
            return await self.parked(request, refused)
        return self._visits.go(request, "/operator/parked")

    async def _money(
        self,
        request: Request,
        *,
        balances: list[Any] | None = None,
        sums: dict[str, int] | None = None,
        refused: Refusal | None = None,
        noted: dict[str, str] | None = None,
    ) -> Response:
        caller = await self._visits.with_role(request, "operator")
        query = request.query_params
        resolved = query.get("show") == "resolved"
        kind = query.get("kind", "") if query.get("kind") in KINDS else ""
        sort = query.get("sort", "") if query.get("sort") in _SORTS else "newest"
        cases = await self._shop.payments.cases(resolved)
        return await self._visits.page(
            request,
            "operator_money.html",
            refused.status if refused else 200,
            desk="operator",
            desk_name=caller.name,
            here="money",
            balances=balances,
            sums=sums or {},
            accounts=_ACCOUNTS,
            cases=sorted((case for case in cases if not kind or case.kind == kind), key=_SORTS[sort]),
            kinds=KINDS,
            kind=kind,
            sort=sort,
            resolved=resolved,
            noted=noted or {},
            refused=trouble(refused) if refused else None,
        )


def pages(visits: Visits, shop: Services) -> list[Route]:
    desk = MoneyDesk(visits, shop)
    return [
        visits.route("/operator/money", desk.money),
        visits.route("/operator/money/balance", desk.balance, "POST"),
        visits.route("/operator/cases/{case}", desk.resolve, "POST"),
        visits.route("/operator/parked", desk.parked),
        visits.route("/operator/parked", desk.retry, "POST"),
    ]
