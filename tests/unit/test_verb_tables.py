"""Whatever a neighbour asks can travel: each argument and each answer of every service's table of verbs."""

import inspect

import pytest
from starlette.requests import Request

from mercat.kit import codec
from mercat.shop import SERVICES
from mercat.web.routes import TABLE

VERBS = [(name, verb) for name, service in SERVICES.items() for verb in service.verbs]


@pytest.mark.parametrize(("service", "verb"), VERBS, ids=[f"{name}.{verb.name}" for name, verb in VERBS])
def test_arguments_and_answers_can_travel(service, verb):
    assert set(verb.hints) == set(verb.signature.parameters) - {"self"}
    assert inspect.iscoroutinefunction(verb.method)
    for hint in verb.hints.values():
        assert hint is not Request
        codec.decoder(hint)
    if verb.answer is not None:
        codec.decoder(verb.answer)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_no_two_verbs_of_a_service_have_one_name(service):
    names = [verb.name for verb in service.verbs]
    assert len(names) == len(set(names))


CLOSED_TO_KEYS = {
    *("make_api_key", "api_keys", "end_api_key", "payout_account", "set_payout_account"),
    *("seller_views", "save_seller_view", "drop_seller_view"),
}
"""What sellers do for themselves: a program that makes keys would give itself what it may not, and one that
names an account would pay itself; saved reports are mailed to a person."""

OPEN_TO_KEYS = {"add_medium"}
"""What a seller's program needs elsewhere: the pictures of the products that it lists."""


def test_every_route_of_sellers_names_the_scopes_of_a_key():
    """A new one says `scopes=[…]` in its row; one that no program may ask stands in CLOSED_TO_KEYS."""
    of_sellers = [route for route in TABLE if route.path.startswith("/seller/")]
    assert {route.name for route in of_sellers if not route.scopes} == CLOSED_TO_KEYS
    assert {route.name for route in TABLE if route.scopes and route not in of_sellers} == OPEN_TO_KEYS
    for route in of_sellers:
        if route.verb != "GET":
            assert not any(scope.endswith(":read") for scope in route.scopes), route.name
