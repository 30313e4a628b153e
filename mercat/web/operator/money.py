"""The operator's money: the trial balance, and differences to the provider's books."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import CaseId
from mercat.kit.refusals import Refusal
from mercat.payments import CaseNote, ReconciliationCase
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.session import with_role

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
_SORTS: dict[str, tuple[str, Callable[[ReconciliationCase], Any]]] = {
    "newest": ("Newest first", lambda case: -case.case_id),
    "oldest": ("Oldest first", lambda case: case.case_id),
    "largest": ("Largest difference first", lambda case: -abs(case.ours - case.theirs)),
    "kind": ("By kind", lambda case: (KINDS.get(case.kind, case.kind), case.case_id)),
}
"""What a sort is called, and its key."""


class CaseForm(Struct, frozen=True):
    note: CaseNote


class MoneyPages:
    """The books."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def money(self, request: Request) -> Response:
        return await self._money(request)

    async def balance(self, request: Request) -> Response:
        """Add the whole journal up: only when asked for, since it takes long."""
        await self._pages.form(request)
        await with_role(request, "operator")
        lines = await self._shop.payments.trial_balance(sellers_together=True)
        sums: dict[str, int] = {}
        for line in lines:
            sums[line.currency] = sums.get(line.currency, 0) + line.balance
        return await self._money(request, balances=lines, sums=sums)

    async def resolve(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await with_role(request, "operator")
        case_id = id_of(request.path_params["case"], CaseId)
        asked = read_form(form, CaseForm)
        if isinstance(asked, FormErrors):
            return await self._money(request, form=Form(CaseForm, form, asked, at=case_id))
        try:
            await self._shop.payments.resolve(case_id, caller.email or caller.name, asked.note)
        except Refusal as refused:
            return await self._money(request, form=Form(CaseForm, form, at=case_id), refused=refused)
        return self._pages.redirect(request, "/operator/money")

    async def _money(
        self,
        request: Request,
        *,
        balances: list[Any] | None = None,
        sums: dict[str, int] | None = None,
        refused: Refusal | None = None,
        form: Form | None = None,
    ) -> Response:
        form = form or Form(CaseForm)
        caller = await with_role(request, "operator")
        query = request.query_params
        resolved = query.get("show") == "resolved"
        kind = query.get("kind", "") if query.get("kind") in KINDS else ""
        sort = query.get("sort", "") if query.get("sort") in _SORTS else "newest"
        cases = await self._shop.payments.cases(resolved)
        return await self._pages.page(
            request,
            "operator_money.html",
            refused.status if refused else (422 if form.errors else 200),
            desk="operator",
            desk_name=caller.name,
            here="money",
            balances=balances,
            sums=sums or {},
            accounts=_ACCOUNTS,
            cases=sorted((case for case in cases if not kind or case.kind == kind), key=_SORTS[sort][1]),
            kinds=KINDS,
            kind=kind,
            sorts=[(value, words) for value, (words, _) in _SORTS.items()],
            sort=sort,
            resolved=resolved,
            form=form,
            refused=message_of(refused) if refused else None,
        )


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    money = MoneyPages(pages, shop)
    return [
        pages.route("/operator/money", money.money),
        pages.route("/operator/money/balance", money.balance, "POST"),
        pages.route("/operator/cases/{case}", money.resolve, "POST"),
    ]
