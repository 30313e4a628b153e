"""Days and times that are sent: whatever they are, nothing breaks, and the answer names the field."""

import csv

import pytest
from one_scene import one_scene

from mercat.kit.moments import times_in
from mercat.kit.refusals import Invalid
from mercat.pricing.tax_files import read_rules
from mercat.web.routes import PREFIX, TABLE

CARD = {"amount": 20, "currency": "USD"}
PROMOTION = {"name": "Spring", "then": {"percent": 10}}
ENDS = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]


@one_scene(
    ("path", "body", "name"),
    [
        ("/operator/gift-cards", CARD, "expires_at"),
        ("/operator/promotions", PROMOTION, "ends_at"),
        ("/operator/promotions", PROMOTION, "starts_at"),
    ],
)
async def test_a_time_without_a_zone_or_at_the_ends_of_the_calendar_is_refused(people, path, body, name):
    for moment in ("2030-01-01T00:00:00", *ENDS):
        answer = await people.operator.post(f"{PREFIX}{path}", json=body | {name: moment})
        assert (answer.status_code, answer.json()["pointer"]) == (422, f"/{name}"), moment


@one_scene("day", ["0001-01-01", "9999-12-31"])
async def test_a_day_at_the_ends_of_the_calendar_is_refused_in_every_filter(people, day):
    for path in ("/operator/reports/sales", "/operator/orders"):
        for name in ("from", "to"):
            asked = {"from": "2026-01-01", "to": "2026-02-01", name: day}
            answer = await people.operator.get(f"{PREFIX}{path}", params=asked)
            assert (answer.status_code, answer.json()["pointer"]) == (422, f"/{name}"), answer.text


SAID_OTHERWISE = {
    "OfferAsk",  # a sale's times are UTC without a zone
    "OfferChange",
    "ListingAsk",
    "ListingChangeAsk",
    "NewPriceEditAsk",
    "PriceEditAsk",
    "Track",  # refused by who takes it
    "TaxRatesGiven",  # not read
}


def test_every_time_that_the_api_takes_has_its_zone():
    bodies = {route.body for route in TABLE if route.body and times_in(route.body)}
    assert len(bodies) > len(SAID_OTHERWISE)
    for body in bodies:
        if body.__name__ not in SAID_OTHERWISE:
            assert all(getattr(each, "tz", True) is True for each in times_in(body)), body


def test_a_table_of_tax_with_a_cell_beyond_all_bounds_says_so():
    before = csv.field_size_limit(131_072)  # an import in this process may have raised it
    try:
        with pytest.raises(Invalid, match="no CSV"):
            read_rules(b"country,rate,included\nDE,0.19," + b"x" * 200_000)
    finally:
        csv.field_size_limit(before)
