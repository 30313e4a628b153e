"""Whatever a neighbour asks can travel: each argument and each answer of every service's table of routes."""

import inspect
import re

import pytest

from mercat.kit import codec
from mercat.shop import SERVICES
from mercat.web.routes import TABLE

ROUTES = [(name, route) for name, service in SERVICES.items() for route in service.routes]


@pytest.mark.parametrize(("service", "route"), ROUTES, ids=[f"{name}.{route.name}" for name, route in ROUTES])
def test_arguments_and_answers_can_travel(service, route):
    arguments = set(route.signature.parameters) - {"self"}
    assert set(route.places) == arguments
    assert set(re.findall(r"\{(\w+)", route.path)) == set(route.at("path"))
    assert not route.at("request")
    assert inspect.iscoroutinefunction(route.method)
    for name in route.at("body"):
        codec.decoder(route.hints[name])
    if route.answer is not None:
        codec.decoder(route.answer)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_no_two_routes_of_a_service_are_one(service):
    seen = [(route.verb, re.sub(r"\{.*?\}", "{}", route.path)) for route in service.routes]
    assert len(seen) == len(set(seen))


CLOSED_TO_KEYS = {"make_api_key", "api_keys", "end_api_key"}
"""What sellers do for themselves: a program that makes keys would give itself what it may not."""


def test_every_route_of_sellers_names_the_scopes_of_a_key():
    """A new one says `scopes=[…]` in its row; one that no program may ask stands in CLOSED_TO_KEYS."""
    of_sellers = [route for route in TABLE if route.path.startswith("/seller/")]
    assert {route.name for route in of_sellers if not route.scopes} == CLOSED_TO_KEYS
    assert not any(route.scopes for route in TABLE if route not in of_sellers)
    for route in of_sellers:
        if route.verb != "GET":
            assert not any(scope.endswith(":read") for scope in route.scopes), route.name
