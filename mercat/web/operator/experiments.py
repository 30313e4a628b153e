"""Experiments: two ways side by side, what came of them, and their end."""

from datetime import datetime

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.analytics import (
    SUBJECTS,
    ArmName,
    Experiment,
    ExperimentName,
    ExperimentResult,
    LeastEffect,
    NewExperiment,
    Subject,
    Verdict,
)
from mercat.ids import ExperimentId, parse
from mercat.kit.refusals import NotFound, Refusal
from mercat.shop import Shop
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, read_form
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.session import with_role

_PATH = "/operator/experiments"


class ArmShown(Struct, frozen=True, kw_only=True):
    """A way: to how many visitors it was shown, and how many of them ordered afterwards."""

    arm: ArmName
    what: str
    visitors: int
    bought: int
    rate: float
    latency_ms: float


class ExperimentShown(Struct, frozen=True, kw_only=True):
    """An experiment. Without `verdict` the numbers are away for the moment."""

    experiment_id: ExperimentId
    name: str
    subject: Subject
    least_effect: int
    started_at: datetime
    stopped_at: datetime | None
    stopped_because: str
    arms: list[ArmShown]
    verdict: Verdict | None


class ExperimentsShown(Struct, frozen=True):
    experiments: list[ExperimentShown]


class ExperimentsApi:
    """Two ways side by side."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def experiments(self) -> ExperimentsShown:
        """List the latest experiments with what came of them, and what it says: which way sells more, or how
        many more visits are needed before anything can be said."""
        return ExperimentsShown([_shown(each) for each in await self._shop.analytics.experiments()])

    async def start_experiment(self, ask: NewExperiment) -> ExperimentShown:
        """Show half of the visitors B from now on. A subject has one experiment at a time."""
        return _of(await self._shop.analytics.start_experiment(ask))

    async def stop_experiment(self, experiment_id: ExperimentId) -> ExperimentShown:
        """Show everybody A again. One that was stopped stays as it was."""
        return _of(await self._shop.analytics.stop_experiment(experiment_id))


def _of(experiment: Experiment) -> ExperimentShown:
    return _shown(ExperimentResult(experiment=experiment, arms=[], verdict=None))


def _shown(result: ExperimentResult) -> ExperimentShown:
    experiment = result.experiment
    _, *whats = SUBJECTS[experiment.subject]
    return ExperimentShown(
        experiment_id=experiment.experiment_id,
        name=experiment.name,
        subject=experiment.subject,
        least_effect=experiment.least_effect,
        started_at=experiment.started_at,
        stopped_at=experiment.stopped_at,
        stopped_because=experiment.stopped_because,
        arms=[
            ArmShown(
                arm=arm.arm,
                what=what,
                visitors=arm.visitors,
                bought=arm.bought,
                rate=round(arm.rate, 4),
                latency_ms=round(arm.latency_ms, 1),
            )
            for arm, what in zip(result.arms, whats, strict=False)
        ],
        verdict=result.verdict,
    )


API = [
    PublicRoute(
        "GET", "/operator/experiments", ExperimentsApi.experiments, tag="Running the shop", needs="operator"
    ),
    PublicRoute(
        "POST",
        "/operator/experiments",
        ExperimentsApi.start_experiment,
        tag="Running the shop",
        needs="operator",
        status=201,
        refuses=["experiment_running"],
    ),
    PublicRoute(
        "POST",
        "/operator/experiments/{experiment_id}/stop",
        ExperimentsApi.stop_experiment,
        tag="Running the shop",
        needs="operator",
        status=200,
        refuses=["not_found"],
    ),
]


class ExperimentForm(Struct, frozen=True):
    name: ExperimentName
    subject: Subject
    least_effect: LeastEffect = 10


class ExperimentPages:
    """Experiments as a list, with the form that begins one."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def experiments(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        await with_role(request, "operator")
        results = await self._shop.analytics.experiments()
        return await operator_page(
            self._pages,
            request,
            "experiments",
            "operator_experiments.html",
            refused.status if refused else (422 if form and form.errors else 200),
            experiments=[_shown(each) for each in results],
            subjects=[(subject, name) for subject, (name, *_) in SUBJECTS.items()],
            subject_names={subject: name for subject, (name, *_) in SUBJECTS.items()},
            form=form or Form(ExperimentForm),
            refused=message_of(refused) if refused and not (form and form.errors) else None,
        )

    async def start(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        asked = read_form(form, ExperimentForm, currency=self._shop.settings.currency)
        if isinstance(asked, FormErrors):
            return await self.experiments(request, Form(ExperimentForm, form, asked))
        new = NewExperiment(name=asked.name, subject=asked.subject, least_effect=asked.least_effect)
        try:
            await self._shop.analytics.start_experiment(new)
        except Refusal as refused:
            return await self.experiments(request, Form(ExperimentForm, form, errors_of(refused)), refused)
        return self._pages.redirect(request, _PATH)

    async def stop(self, request: Request) -> Response:
        await self._pages.form(request)
        await with_role(request, "operator")
        try:
            experiment_id = parse(ExperimentId, request.path_params["experiment_id"])
        except ValueError:
            raise NotFound("There is no such experiment.") from None
        await self._shop.analytics.stop_experiment(experiment_id)
        return self._pages.redirect(request, _PATH)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    experiments = ExperimentPages(pages, shop)
    return [
        pages.route(_PATH, experiments.experiments),
        pages.route(_PATH, experiments.start, "POST"),
        pages.route(_PATH + "/{experiment_id}/stop", experiments.stop, "POST"),
    ]
