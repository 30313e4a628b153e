"""A parcel's page at its carrier."""

import pytest

from mercat.fulfilment import tracking_url


@pytest.mark.parametrize("carrier", ["UPS", "ups", " U.P.S. "])
def test_a_known_carrier_has_a_page_for_each_number(carrier):
    assert tracking_url(carrier, "1Z 9/&x=<") == "https://www.ups.com/track?tracknum=1Z%209%2F%26x%3D%3C"


@pytest.mark.parametrize(("carrier", "number"), [("The neighbour's van", "1"), ("UPS", ""), ("", "")])
def test_who_is_not_known_has_none(carrier, number):
    assert tracking_url(carrier, number) is None
