"""Whatever a neighbour asks can travel: each argument and each answer of every service's table of routes."""

import inspect
import re

import pytest

from mercat import (
    accounts,
    cart,
    catalog,
    checkout,
    fulfilment,
    inventory,
    notifications,
    orders,
    payments,
    pricing,
    recommendations,
    reviews,
    search,
    sellers,
    wishlist,
)
from mercat.kit import codec

SERVICES = [
    accounts,
    cart,
    catalog,
    checkout,
    fulfilment,
    inventory,
    notifications,
    orders,
    payments,
    pricing,
    recommendations,
    reviews,
    search,
    sellers,
    wishlist,
]
ROUTES = [(service.__name__.split(".")[1], route) for service in SERVICES for route in service.API]


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


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.__name__)
def test_no_two_routes_of_a_service_are_one(service):
    seen = [(route.verb, re.sub(r"\{.*?\}", "{}", route.path)) for route in service.API]
    assert len(seen) == len(set(seen))
