"""What analytics is asked and what it answers. Amounts are integers of minor units."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from mercat.ids import ExperimentId, SellerId, ViewId
from mercat.kit.text import SEEN_LINE

ReportName = Literal["sales", "orders", "products", "searches", "funnel", "cohorts", "stock"]
GroupBy = Literal["day", "hour", "week", "month", "seller", "category", "product", "country", "channel"]
CompareWith = Literal["previous", "year"]
ROWS_MAX = 10_000
RowLimit = Annotated[int, Meta(ge=1, le=ROWS_MAX)]
TimeZone = Annotated[str, Meta(min_length=1, max_length=64)]
TIMES = ("hour", "day", "week", "month")

Row = dict[str, Any]
"""A row of a report by column: amounts are minor units, ids numbers, and what is of no row is not there."""


class ReportAsk(Struct, frozen=True, kw_only=True):
    """Which report. `since` and `until` are days in the time zone, the last one left out; `seller_id`: of
    that seller's goods alone."""

    name: ReportName
    since: date | None = None
    until: date | None = None
    by: GroupBy | None = None
    compare: CompareWith | None = None
    tz: TimeZone = "UTC"
    seller_id: SellerId | None = None
    limit: RowLimit = 1_000


class Compared(Struct, frozen=True, kw_only=True):
    """The same report of another period."""

    since: date
    until: date
    rows: list[Row]
    totals: Row


class ReportAnswer(Struct, frozen=True, kw_only=True):
    """A report's rows and what they come to. Everything that was committed up to `as_of` is in it;
    `behind_s`: how long the oldest event that is not in it yet has waited."""

    rows: list[Row]
    totals: Row
    as_of: datetime
    behind_s: float
    compared: Compared | None = None


class Rebuilt(Struct, frozen=True):
    """How many orders and facts were read anew."""

    orders: int
    facts: int


Subject = Literal["search_ranking", "for_you_shelf", "results_layout"]
"""What two ways are compared of: the order of found products, the shelf "For you", or the page of what was
found."""
ArmName = Literal["A", "B"]
SUBJECTS: dict[Subject, tuple[str, str, str]] = {
    "search_ranking": ("Order of found products", "with what the ranker learnt", "without it"),
    "results_layout": ("Page of found products", "pictures side by side", "larger pictures"),
    "for_you_shelf": ("Shelf “For you”", "after past purchases", "what sells near"),
}
"""Of each subject: its name, and what A and B are; A is how things are without an experiment."""
EXPERIMENTS_MAX = 50
"""The latest that are listed."""
ExperimentName = Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN_LINE)]
LeastEffect = Annotated[int, Meta(ge=1, le=100)]
"""The smallest difference worth finding, in percent of A's rate; a smaller one takes more visits."""


class NewExperiment(Struct, frozen=True, kw_only=True):
    """Two ways of a subject, each shown to half of the visitors."""

    name: ExperimentName
    subject: Subject
    least_effect: LeastEffect = 10


class Experiment(Struct, frozen=True, kw_only=True):
    experiment_id: ExperimentId
    name: str
    subject: Subject
    least_effect: int
    started_at: datetime
    stopped_at: datetime | None
    stopped_because: str


class Arm(Struct, frozen=True):
    """What came of a way: whom it was shown to, who ordered afterwards, and how long answers took (of
    twenty, one took longer)."""

    experiment_id: ExperimentId
    arm: ArmName
    visitors: int = 0
    bought: int = 0
    answers: int = 0
    latency_ms: float = 0.0

    @property
    def rate(self) -> float:
        return min(self.bought, self.visitors) / self.visitors if self.visitors else 0.0


class Verdict(Struct, frozen=True):
    """What an experiment shows, in a word and in words. `needed`: how many visits are missing before
    anything is said; None where nobody can know yet."""

    outcome: Literal["open", "better", "worse", "same"]
    words: str
    needed: int | None


class ExperimentResult(Struct, frozen=True, kw_only=True):
    """An experiment with what came of it so far; without numbers while the engine is away."""

    experiment: Experiment
    arms: list[Arm]
    verdict: Verdict | None


VIEWS_MAX = 20
"""Of one person."""
ViewName = Annotated[str, Meta(min_length=1, max_length=80, pattern=SEEN_LINE)]


class NewView(Struct, frozen=True, kw_only=True):
    """A report that is mailed each week, with the week that is over. `tz`: where that week begins and the
    letter comes, on Monday at seven."""

    name: ViewName
    report: ReportName
    by: GroupBy | None = None
    tz: TimeZone = "UTC"


class SavedView(NewView, frozen=True, kw_only=True):
    view_id: ViewId
    next_at: datetime
    """When it is mailed next."""
