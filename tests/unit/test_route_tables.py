"""Whatever a neighbour asks can travel: each argument and each answer of every service's table of routes."""

import inspect
import re

import pytest

from mercat.kit import codec
from mercat.shop import SERVICES

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
