"""The verbs of analytics: this process answers where it has the engine; else it asks the one that has."""

from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from mercat import ids
from mercat.analytics import periods, reports
from mercat.analytics.engine import EngineAway, FactEngine
from mercat.analytics.engines.in_step import InStepEngines
from mercat.analytics.experiments import arms_of, verdict
from mercat.analytics.keeper import FactSources, Keeper
from mercat.analytics.messages import (
    EXPERIMENTS_MAX,
    VIEWS_MAX,
    Experiment,
    ExperimentResult,
    NewExperiment,
    NewView,
    Rebuilt,
    ReportAnswer,
    ReportAsk,
    SavedView,
)
from mercat.embedded import Home
from mercat.events import Look, ThingsLookedAt
from mercat.ids import BatchId, ExperimentId, SellerId, UserId, ViewId
from mercat.kit import clock, codec, sql
from mercat.kit.host import Host
from mercat.kit.neighbours import Neighbour, call_key
from mercat.kit.refusals import Conflict, NotFound, Unavailable
from mercat.kit.stand_ins import remote
from mercat.kit.verbs import Verb
from mercat.search import LearntOrder
from mercat.settings import Settings

if TYPE_CHECKING:
    from mercat.analytics.engines.duckdb import DuckDbEngine

queries = sql.load("mercat.analytics")
KEEPER_API = [
    Verb(Keeper.report, reads=True),
    Verb(Keeper.rebuild),
    Verb(Keeper.learn),
    Verb(Keeper.arms, reads=True),
    Verb(Keeper.begin_copy),
    Verb(Keeper.copy_on),
    Verb(Keeper.compare_copy),
]
"""What the process with the engine answers to the others of its machine."""
_SOCKET_PATH_MAX = 100
_REBUILT_WITHIN_S = 24 * 3_600


def socket_of(settings: Settings) -> Path:
    """Return where the process with the engine answers: in the shop's folder, or beside the database's socket
    where that path is too long for one; the database may have moved from there."""
    own = (settings.data / "analytics" / "ask.sock").absolute()
    if len(str(own)) <= _SOCKET_PATH_MAX:
        return own
    if settings.postgres_host.startswith("/"):
        return Path(settings.postgres_host).parent / "analytics.sock"
    sockets = Home(settings.data).place("sockets")
    return sockets / "analytics.sock" if sockets else own


def keeper_of(settings: Settings) -> tuple[Keeper, Neighbour]:
    """Make the stand-in of the keeper in another process of this machine, and what closes it."""
    neighbour = Neighbour("analytics", "http://analytics", call_key(settings), str(socket_of(settings)))
    return remote(Keeper, KEEPER_API, neighbour, _REBUILT_WITHIN_S), neighbour


def open_engine(settings: Settings, folder: Path) -> FactEngine:
    """Open the engine that the settings name; both, while the shop moves from one to the other."""
    if not settings.clickhouse_url:
        return _open_duckdb(settings, folder)
    from mercat.analytics.engines.clickhouse import ClickHouseEngine

    far = ClickHouseEngine(settings.clickhouse_url)
    if not settings.moving.startswith("analytics"):
        return far
    near = _open_duckdb(settings, folder)
    comes_back = settings.moving == "analytics-back"
    return InStepEngines(far, near, near.empty) if comes_back else InStepEngines(near, far)


def _open_duckdb(settings: Settings, folder: Path) -> "DuckDbEngine":
    from mercat.analytics.engines.duckdb import FILE, DuckDbEngine  # half the memory of a web worker

    return DuckDbEngine(folder / FILE, settings.analytics_memory_mb)


class ExperimentRunning(Conflict):
    """An experiment with this subject is running. Stop it first."""


class TooManyViews(Conflict):
    """Twenty reports can be saved. Delete one first."""


class Analytics:
    """Reports about everything that was sold and looked at."""

    unhurried = True

    def __init__(self, host: Host, db: asyncpg.Pool, sources: FactSources) -> None:
        settings = host.settings
        self._db = db
        self.keeper = Keeper(
            db,
            settings,
            sources,
            lambda: host.standing("analytics"),
            lambda folder: open_engine(settings, folder),
        )
        self._socket = socket_of(settings)
        self._elsewhere: Keeper | None = None
        self._http: Neighbour | None = None
        self._settings = settings

    async def report(self, ask: ReportAsk) -> ReportAnswer:
        """Make a report: see `mercat/analytics/reports.py` for which there are."""
        return await self._asked().report(ask)

    async def rebuild(self) -> Rebuilt:
        """Read all facts of money anew from the services that own them."""
        return await self._asked().rebuild()

    async def learn(self) -> LearntOrder | None:
        """Let searches learn from clicks and orders now; None where nothing was chosen often enough."""
        return await self._asked().learn()

    async def start_experiment(
        self, new: NewExperiment, experiment_id: ExperimentId | None = None
    ) -> Experiment:
        """Show one half of the visitors A from now on, and the other half B. `experiment_id`: a fresh one of
        the caller's, so that asking twice starts one. Refuses: experiment_running."""
        experiment_id = experiment_id or ids.new(ExperimentId)
        given = experiment_id, new.name, new.subject, new.least_effect, clock.now()
        try:
            await self._db.execute(queries.start_experiment, *given)
        except asyncpg.UniqueViolationError as error:
            raise ExperimentRunning(pointer="/subject") from error
        return await self._experiment(experiment_id)

    async def stop_experiment(self, experiment_id: ExperimentId) -> Experiment:
        """Show everybody A again. One that was stopped before stays as it was."""
        because = "An operator stopped it."
        await self._db.execute(queries.stop_experiment, experiment_id, because, clock.now())
        return await self._experiment(experiment_id)

    async def running_experiments(self) -> list[Experiment]:
        """List the experiments that visitors take part in now."""
        return sql.rows(Experiment, await self._db.fetch(queries.running_experiments))

    async def experiments(self) -> list[ExperimentResult]:
        """List the latest experiments with what they show; without numbers while the engine is away."""
        every = sql.rows(Experiment, await self._db.fetch(queries.experiments, EXPERIMENTS_MAX))
        try:
            found = await self._asked().arms(every)
        except (Unavailable, ConnectionError):
            return [ExperimentResult(experiment=each, arms=[], verdict=None) for each in every]
        results: list[ExperimentResult] = []
        for each in every:
            a, b = arms_of(each.experiment_id, found)
            said = verdict(a, b, each.least_effect)
            results.append(ExperimentResult(experiment=each, arms=[a, b], verdict=said))
        return results

    async def save_view(
        self,
        user_id: UserId,
        seller_id: SellerId | None,
        new: NewView,
        view_id: ViewId | None = None,
    ) -> SavedView:
        """Save a report that is mailed to somebody each week. `view_id`: a fresh one of the caller's, so that
        asking twice saves one. Refuses: too_many_views."""
        zone = periods.zone_of(new.tz)
        reports.check_by(new.report, new.by)
        view_id = view_id or ids.new(ViewId)
        next_at = periods.next_letter(clock.now(), zone)
        given = view_id, user_id, seller_id, new.name, new.report, new.by, new.tz, next_at, VIEWS_MAX
        await self._db.execute(queries.save_view, *given)
        row = await self._db.fetchrow(queries.view, view_id, user_id, seller_id)
        if row is None:
            raise TooManyViews
        return sql.row(SavedView, row)

    async def views(self, user_id: UserId, seller_id: SellerId | None) -> list[SavedView]:
        """List the reports that somebody has saved."""
        return sql.rows(SavedView, await self._db.fetch(queries.views, user_id, seller_id))

    async def drop_view(self, user_id: UserId, seller_id: SellerId | None, view_id: ViewId) -> None:
        """Forget a saved report, so that it is not mailed any more; NotFound for another's."""
        if await self._db.fetchval(queries.drop_view, view_id, user_id, seller_id) is None:
            raise NotFound("You have saved no such report.")

    async def _experiment(self, experiment_id: ExperimentId) -> Experiment:
        row = await self._db.fetchrow(queries.experiment, experiment_id)
        if row is None:
            raise NotFound("There is no such experiment.")
        return sql.row(Experiment, row)

    async def tell_looks(self, looks: list[Look]) -> None:
        """Tell what visitors looked at, in one event; it reaches the facts through the log."""
        event = ThingsLookedAt(batch_id=ids.new(BatchId), looks=looks)
        await self._db.execute(queries.tell, type(event).__name__, codec.inner_text(event))

    async def close(self) -> None:
        """Give the engine and the connection back."""
        await self.keeper.close()
        if self._http:
            await self._http.close()

    def _asked(self) -> Keeper:
        if self.keeper.is_open:
            return self.keeper
        if not self._socket.exists():
            raise Unavailable("Reports are not answered at the moment. Try again shortly.")
        if self._elsewhere is None:
            self._elsewhere, self._http = keeper_of(self._settings)
        return self._elsewhere


__all__ = [
    "KEEPER_API",
    "Analytics",
    "EngineAway",
    "ExperimentRunning",
    "TooManyViews",
    "keeper_of",
    "socket_of",
]
