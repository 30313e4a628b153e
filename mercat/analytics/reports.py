"""What each report asks the engine, and how its rows are made: one function a report."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec import structs

from mercat import ids
from mercat.analytics import periods
from mercat.analytics.engine import FactEngine
from mercat.analytics.messages import TIMES, Compared, GroupBy, ReportAsk, ReportName, Row
from mercat.analytics.periods import Period
from mercat.kit.refusals import Invalid

COUNTS = ("orders", "units", "cancelled_units", "returned_units")
SUMS = (
    "gross",
    "discount",
    "refunds",
    "tax",
    "shipping",
    "commission",
    "net",
    "refunded_goods",
)
"""The columns of money, in minor units."""
_MONEY: Row = dict.fromkeys((*COUNTS, *SUMS), 0)


class Made(NamedTuple):
    """A report before sellers have names."""

    rows: list[Row]
    totals: Row
    compared: Compared | None

    @property
    def sellers(self) -> set[int]:
        every = [*self.rows, *(self.compared.rows if self.compared else [])]
        return {row["seller_id"] for row in every if "seller_id" in row}

    def named(self, names: Mapping[int, str]) -> "Made":
        """Write the names of sellers beside their ids."""
        for row in (*self.rows, *(self.compared.rows if self.compared else [])):
            if "seller_id" in row:
                row["seller_name" if "offer_id" in row else "name"] = names.get(row["seller_id"], "")
        return self


class Question(NamedTuple):
    """A report of one period."""

    engine: FactEngine
    ask: ReportAsk
    period: Period
    by: GroupBy | None
    now: datetime

    def params(self) -> dict[str, Any]:
        zone = periods.zone_of(self.ask.tz)
        since, until = self.period.bounds(zone)
        return {
            "since": since,
            "until": until,
            "tz": self.ask.tz,
            "by": self.by,
            "most": self.ask.limit,
            "seller": int(self.ask.seller_id or 0),
            "whose": "one_seller" if self.ask.seller_id else "everybody",
            "sums": "sums",
            "orders": _orders(self.ask.seller_id is not None, self.by),
            "key": f"key_{self.by}",
            "quarter_key": "quarter_hour" if self.by == "hour" else "quarter_time",
            "earlier_key": "earlier_hour" if self.by == "hour" else "earlier_time",
        }

    def days(self) -> float:
        """Return how many days of the period have passed, one at least."""
        since, until = self.period.bounds(periods.zone_of(self.ask.tz))
        now = self.now.astimezone(UTC).replace(tzinfo=None)
        if self.period.since is None:
            [bounds] = self.asked("bounds")
            since = bounds["first"] or now
        return max(1.0, (min(until, now) - since).total_seconds() / 86_400)

    def asked(self, name: str, **more: Any) -> list[Row]:
        return self.engine.ask(name, {**self.params(), **more})


Maker = Callable[[Question], tuple[list[Row], Row]]


def make(engine: FactEngine, ask: ReportAsk, now: datetime) -> Made:
    """Make a report, and the one that it is compared with."""
    period = Period(ask.since, ask.until)
    periods.check(period)
    zone = periods.zone_of(ask.tz)
    maker, groups = _REPORTS[ask.name]
    by = ask.by or groups[0]
    check_by(ask.name, by)
    rows, totals = maker(Question(engine, ask, period, by, now))
    if ask.compare is None:
        return Made(rows, totals, None)
    other = periods.compared(period, ask.compare, now.astimezone(zone).date())
    assert other.since is not None
    assert other.until is not None
    others, other_totals = maker(Question(engine, ask, other, by, now))
    return Made(
        rows, totals, Compared(since=other.since, until=other.until, rows=others, totals=other_totals)
    )


def groups_of(name: ReportName) -> list[GroupBy]:
    """List what a report can be made by."""
    _, groups = _REPORTS[name]
    return [each for each in groups if each]


def check_by(name: ReportName, by: GroupBy | None) -> None:
    """Refuse what a report is not made by."""
    if by is not None and by not in groups_of(name):
        words = ", ".join(groups_of(name))
        raise Invalid(f"The report {name} is made by {words}.", pointer="/by")


def _orders(of_seller: bool, by: str | None) -> str:
    """Name the marks that count the orders of a group: an order is in one day, and in several categories."""
    group = f"_{by}" if by in ("category", "product") else ""
    if of_seller:
        return f"orders_first_seller{group}"
    return f"orders_first_{by}" if by in ("seller", "category", "product") else "orders_first"


def _money(question: Question) -> tuple[list[Row], Row]:
    by = question.by
    _, totals = _totals(question)
    if by in TIMES:
        return _by_time(question), totals
    name = "money_by_product" if by == "product" else "money"
    rows = [_MONEY | row for row in question.asked(name)]
    return _labelled(question, rows), totals


def _by_time(question: Question) -> list[Row]:
    return _stepped(question, question.asked("money_by_time"), _MONEY)


def _stepped(question: Question, found: list[Row], nothing: Row) -> list[Row]:
    """Make a row of each step of time, of those in which nothing happened too. Hours have UTC as their
    key, other steps local time."""
    by = question.by
    assert by is not None
    rows = {row.pop("key"): row for row in found}
    first, last = (min(rows), max(rows)) if rows else (datetime.min, datetime.min)
    known = rows or (question.period.since and question.period.until)
    zone = periods.zone_of(question.ask.tz)
    every = periods.steps(question.period, by, first, last, zone) if known else []
    return [{by: periods.shown(at, by, zone)} | nothing | rows.get(at, {}) for at in every or sorted(rows)]


def _labelled(question: Question, rows: list[Row]) -> list[Row]:
    """Say what each row is of: ids with names beside them, words as they are."""
    by = question.by
    if by == "seller":
        return [{"seller": row["key"], "seller_id": row.pop("key"), "name": ""} | row for row in rows]
    if by == "product":
        named = {
            each["product"]: each
            for each in question.asked("product_names", products=[row["key"] for row in rows])
        }
        return [_with_product(row, named) for row in rows]
    if by == "category":
        names = {
            each["category"]: each["category_name"]
            for each in question.asked("category_names", categories=[row["key"] for row in rows])
        }
        return [{"category": (key := row.pop("key")), "name": names.get(key, key)} | row for row in rows]
    return [{str(by): row.pop("key")} | row for row in rows]


def _with_product(row: Row, named: Mapping[int, Row]) -> Row:
    product = row.pop("key")
    known = named.get(product, {})
    return {"product": product, "product_id": product, "name": known.get("title", "")} | row


def _orders_report(question: Question) -> tuple[list[Row], Row]:
    """Report what was sold, and what an order came to on average."""
    rows, totals = _money(question)
    return [_averaged(row) for row in rows], _averaged(totals)


def _averaged(row: Row) -> Row:
    orders = row["orders"]
    value = row["gross"] - row["discount"]
    return row | {
        "average_order": round(value / orders) if orders else 0,
        "units_per_order": round(row["units"] / orders, 2) if orders else 0,
    }


def _searches(question: Question) -> tuple[list[Row], Row]:
    """Report what was searched for: by words, or by time."""
    by = question.by
    timed = by in TIMES
    whose = "one_seller" if question.ask.seller_id else "everybody"
    whole_since, whole_until = _whole(question, timed=timed)
    whole, *rows = question.asked(
        "searches",
        shown_to=f"shown_{whose}",
        shown_then_to=f"shown_then_{whose}",
        search_key=_time_key(by) if timed else "key_words",
        search_key_back="time_back" if timed else "words_back",
        summed_searches="summed_time" if timed else "summed_words",
        whole_since=whole_since,
        whole_until=whole_until,
        outcomes="outcomes",
        looked="not_settled",
        looked_after="not_settled_after",
    )
    _, totals = _totals(question)
    totals |= {name: whole[name] for name in _NO_SEARCHES} if whole["searches"] else _NO_SEARCHES
    for row in rows:
        del row["whole"]
    if timed:
        return _stepped(question, rows, _NO_SEARCHES), totals
    return [{"words": row.pop("key")} | row for row in rows], totals


def _time_key(by: str | None) -> str:
    return "key_hour" if by == "hour" else "key_time"


def _whole(question: Question, *, timed: bool) -> tuple[datetime, datetime]:
    """Say of which part of the period sums of searches are read: quarters of an hour where it is by time,
    else the days (UTC) that lie in it whole. None of a seller's: sums are of the shop."""
    since, until = question.period.bounds(periods.zone_of(question.ask.tz))
    if question.ask.seller_id:
        return since, since
    if timed:
        return since, until
    whole_since, whole_until = periods.whole_days(since, until)
    return whole_since, max(whole_since, whole_until)


def _funnel(question: Question) -> tuple[list[Row], Row]:
    """Report how far visitors came: a row a step with each kind of device, or a row a day."""
    visitors = "visitors_one_seller" if question.ask.seller_id else "visitors_everybody"
    by_device = question.asked("funnel", visitors=visitors, funnel_key="funnel_device")
    totals: Row = {step: sum(row[step] for row in by_device) for step in _STEPS}
    _, money_totals = _totals(question)
    totals["conversion"] = _rate(totals["bought"], totals["visits"])
    if question.ask.by in TIMES:
        rows = question.asked("funnel", visitors=visitors, funnel_key=_time_key(question.by))
        for row in rows:
            row["conversion"] = _rate(row["bought"], row["visits"])
        return _stepped(question, rows, dict.fromkeys((*_STEPS, "conversion"), 0)), money_totals | totals
    devices = {row["key"]: row for row in by_device}
    rows: list[Row] = []
    before = totals["visits"]
    for step in _STEPS:
        reached = totals[step]
        row: Row = {"step": step, "visitors": reached, "rate": _rate(reached, totals["visits"])}
        row |= {"of_step_before": _rate(reached, before)}
        row |= {device: devices.get(device, {}).get(step, 0) for device in ("phone", "tablet", "desktop")}
        rows.append(row)
        before = reached
    return rows, money_totals | totals


def _products(question: Question) -> tuple[list[Row], Row]:
    """Report what was looked at and what was sold of it."""
    if question.by != "product":
        return _money(question)
    looks = "looks_one_seller" if question.ask.seller_id else "looks_everybody"
    rows = question.asked("products_seen", looks=looks)
    rows = [_MONEY | {name: value for name, value in row.items() if value is not None} for row in rows]
    [seen] = question.asked("views_in_all", looks=looks)
    _, totals = _totals(question)
    for row in rows:
        row.setdefault("conversion", None)
    return _labelled(question, rows), totals | seen


def _cohorts(question: Question) -> tuple[list[Row], Row]:
    """Report who bought again, by the month in which they bought first."""
    rows = question.asked("cohorts")
    _, totals = _totals(question)
    shown: list[Row] = [{"cohort": periods.shown(row.pop("key"), "month", UTC)} | row for row in rows]
    [buyers] = question.asked("new_buyers")
    return shown, totals | buyers


def _stock(question: Question) -> tuple[list[Row], Row]:
    """Report what was sold of each offer, and since when it is listed; what is left comes beside it."""
    orders = _orders(question.ask.seller_id is not None, "product")
    rows = question.asked("offers_sold", orders=orders)
    _, totals = _totals(question)
    named = {
        each["product"]: each["title"]
        for each in question.asked("product_names", products=[row["product_id"] for row in rows])
    }
    days = question.days()
    shown = [
        {"name": named.get(row["product_id"], ""), "days": days}
        | {"age_days": (question.now - ids.made_at(row["offer_id"])).days}
        | row
        for row in rows
    ]
    return shown, totals


def unsold(offer: int, product: int, seller: int, title: str, now: datetime) -> Row:
    """Make the row of an offer of which nothing was sold."""
    of = {"offer_id": offer, "product_id": product, "seller_id": seller}
    return {"name": title, "days": 1.0, "age_days": (now - ids.made_at(offer)).days} | of | _MONEY


def with_stock(made: Made, shelves: Mapping[int, tuple[int, int]]) -> Made:
    """Write beside what was sold what is left: how many days it lasts at that rate, and what of all was sold.
    What lasts shortest comes first. Of a period before, only what was sold is known."""
    compared = made.compared
    if compared:
        earlier = [_rated(row)[0] for row in compared.rows]
        made = made._replace(compared=structs.replace(compared, rows=earlier))
    rows = [_with_shelf(row, *shelves.get(row["offer_id"], (0, 0))) for row in made.rows]
    rows.sort(key=lambda row: (row["days_left"] is None, row["days_left"]))
    on_hand = sum(row["on_hand"] for row in rows)
    return made._replace(rows=rows, totals=made.totals | {"on_hand": on_hand})


def _rated(row: Row) -> tuple[Row, int, float]:
    """Write how many were sold a day; and answer how many were sold and kept, in all and a day."""
    sold = row["units"] - row["cancelled_units"] - row["returned_units"]
    a_day = sold / row.pop("days")
    return row | {"sold_a_day": round(a_day, 2)}, sold, a_day


def _with_shelf(row: Row, on_hand: int, available: int) -> Row:
    row, sold, a_day = _rated(row)
    return row | {
        "on_hand": on_hand,
        "available": available,
        "days_left": round(available / a_day, 1) if a_day > 0 else None,
        "sell_through": _rate(sold, sold + on_hand),
        "age_days": row["age_days"],
    }


def _totals(question: Question) -> tuple[list[Row], Row]:
    """Add up what was sold in the period of any report: all of them hold the same sums."""
    [totals] = question.asked("money_totals", orders=_orders(question.ask.seller_id is not None, ""))
    return [], _MONEY | {name: value or 0 for name, value in totals.items()}


def _rate(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


_STEPS = ("visits", "viewed", "added", "checkouts", "bought")
_NO_SEARCHES: Row = {
    "searches": 0,
    "visitors": 0,
    "no_result": 0,
    "clicks": 0,
    "click_rate": 0.0,
    "bought": 0,
    "buy_rate": 0.0,
    "position": None,
}


_EVERY_GROUP: tuple[GroupBy, ...] = (
    "day",
    "hour",
    "week",
    "month",
    "seller",
    "category",
    "product",
    "country",
    "channel",
)
_TIME_GROUPS: tuple[GroupBy, ...] = ("day", "hour", "week", "month")
_REPORTS: dict[str, tuple[Maker, tuple[GroupBy | None, ...]]] = {
    "sales": (_money, _EVERY_GROUP),
    "orders": (_orders_report, _EVERY_GROUP),
    "products": (_products, ("product", *(each for each in _EVERY_GROUP if each != "product"))),
    "searches": (_searches, (None, *_TIME_GROUPS)),
    "funnel": (_funnel, (None, *_TIME_GROUPS)),
    "cohorts": (_cohorts, (None, "month")),
    "stock": (_stock, (None, "product")),
}
