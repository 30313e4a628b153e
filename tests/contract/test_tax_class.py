"""In which class of tax a product is: given by its seller, changed, imported, and known where prices are."""

import pytest
from one_scene import one_scene

from mercat.catalog import Columns, recognise
from mercat.ids import OfferId, parse
from mercat.web.routes import PREFIX

BREAD = {
    "title": "A loaf of rye bread",
    "description": "Sourdough.",
    "category": "Cups",
    "brand": "Oven & Co",
    "price": 4.5,
    "currency": "USD",
    "quantity": 3,
    "weight_g": 750,
}


async def test_a_seller_says_the_tax_class_and_an_offer_knows_it(people):
    made = await people.seller.post(f"{PREFIX}/seller/products", json=BREAD | {"tax_class": "food"})
    assert made.status_code == 201, made.text
    ids = made.json()
    assert (await people.nobody.get(f"{PREFIX}/products/{ids['product_id']}")).json()["tax_class"] == "food"

    offer_id = parse(OfferId, ids["offer_id"])
    offer = (await people.shop.catalog.offers([offer_id]))[offer_id]
    assert (offer.tax_class, offer.brand, offer.weight_g) == ("food", "Oven & Co", 750)
    assert offer.categories[-1] == "cups"
    assert offer.seller_name

    at = f"{PREFIX}/seller/products/{ids['product_id']}"
    assert (await people.seller.patch(at, json={"tax_class": None})).json()["tax_class"] is None
    assert (await people.shop.catalog.offers([offer_id]))[offer_id].tax_class is None


@one_scene("code", ["Food", "a b", "", "x" * 31, "-a"])
async def test_a_tax_class_is_a_short_code(people, code):
    answer = await people.seller.post(f"{PREFIX}/seller/products", json=BREAD | {"tax_class": code})
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/tax_class")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"external_id": "1", "title": "Rye", "price": 2, "tax_class": "Reduced rate"}, "reduced-rate"),
        ({"external_id": "1", "title": "Rye", "price": 2, "tax_class": "Standard"}, None),
        ({"handle": "rye", "variant_price": "2", "title": "Rye", "variant_tax_code": "PF050"}, "pf050"),
        ({"sku": "1", "name": "Rye", "type": "simple", "regular_price": "2", "tax_class": "zero"}, "zero"),
    ],
)
def test_files_of_other_shops_say_the_tax_class(row, code):
    assert recognise([row]).read(Columns(row)).tax_class == code
