"""The operator's money: the trial balance, and differences to the provider's books."""

from collections.abc import Mapping
from typing import Any, cast, get_args

from msgspec import Struct
from msgspec.structs import asdict
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import CaseId
from mercat.kit.refusals import Refusal
from mercat.payments import CaseKind, CaseNote, CaseSort, ReconciliationCase
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.session import with_role
from mercat.web.table_query import AFTER, TableQuery, as_csv, choice, every, headings, link, tabs

_A_PAGE = 50
_PATH = "/operator/money"
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
    "payouts": "Payouts decided, not yet transferred",
    "shopper": "Held for shoppers without an order",
    "gift_cards": "Owed to holders of gift cards",
    "store_credit": "Owed as store credit",
    "credit_issued": "Put on gift cards and store credit",
}
_SORTS: tuple[CaseSort, ...] = get_args(CaseSort)
_COLUMNS = [("opened", "Opened"), ("kind", "What differs"), ("ours", "Ours"), ("theirs", "Theirs")]
_TABS = {"open": "Open", "resolved": "Resolved"}
_CASES: dict[str, tuple[str, ...]] = {"show": tuple(_TABS), "kind": tuple(KINDS), "sort": _SORTS}


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
        await with_role(request, "operator")
        query: Mapping[str, str] = request.query_params if request.method == "GET" else {}
        chosen, after = choice(query, _CASES), choice(query, AFTER).get("after", "")
        cases = await self._cases(chosen, id_of(after, CaseId) if after else None, _A_PAGE)
        resolved = chosen.get("show") == "resolved"
        last = cases[-1].case_id if len(cases) == _A_PAGE else None
        counts = asdict(await self._shop.payments.case_counts())
        acts = ("difference", "Difference"), ("act", "How it was resolved" if resolved else "Resolve")
        return await operator_page(
            self._pages,
            request,
            "money",
            "operator_money.html",
            refused.status if refused else (422 if form.errors else 200),
            balances=balances,
            sums=sums or {},
            accounts=_ACCOUNTS,
            cases=cases,
            kinds=KINDS,
            chosen=chosen,
            tabs=tabs(_PATH, chosen, "show", _TABS, counts),
            headings=headings(_PATH, chosen, [*_COLUMNS, *acts], _SORTS, "ours theirs difference"),
            more=link(_PATH, chosen, after=last) if last else None,
            file=link("/operator/money.csv", chosen),
            resolved=resolved,
            form=form,
            refused=message_of(refused) if refused else None,
        )

    async def export(self, request: Request) -> Response:
        """Send cases as a CSV file: those that the table would show."""
        await with_role(request, "operator")
        chosen = choice(request.query_params, _CASES)

        async def page(last: ReconciliationCase | None, limit: int) -> list[ReconciliationCase]:
            return await self._cases(chosen, last.case_id if last else None, limit)

        return as_csv("cases.csv", _HEAD, (_cells(case) async for case in every(page)))

    async def _cases(self, chosen: TableQuery, after: CaseId | None, limit: int) -> list[ReconciliationCase]:
        kind, sort = cast(CaseKind | None, chosen.get("kind")), cast(CaseSort, chosen.get("sort", _SORTS[0]))
        return await self._shop.payments.cases(chosen.get("show") == "resolved", kind, sort, after, limit)


_HEAD = [
    "opened_at",
    "kind",
    "subject",
    "order_id",
    "ours",
    "theirs",
    "currency",
    "detail",
    "resolved_at",
    "resolved_by",
    "note",
]


def _cells(case: ReconciliationCase) -> list[Any]:
    return [
        case.opened_at,
        case.kind,
        case.subject,
        case.order_id,
        rendering.decimal(case.ours, case.currency),
        rendering.decimal(case.theirs, case.currency),
        case.currency,
        case.detail,
        case.resolved_at,
        case.resolved_by,
        case.note,
    ]


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    money = MoneyPages(pages, shop)
    return [
        pages.route("/operator/money", money.money),
        pages.route("/operator/money.csv", money.export),
        pages.route("/operator/money/balance", money.balance, "POST"),
        pages.route("/operator/cases/{case}", money.resolve, "POST"),
    ]
