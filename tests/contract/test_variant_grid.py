"""The grid of a product's variants and the form of its pictures, pressed as without a script."""

import re
from io import BytesIO

import pytest
from one_scene import one_scene
from PIL import Image

from mercat.catalog import GivenVariant, ListedVariant, combined
from mercat.ids import OfferId, SkuId
from mercat.kit.refusals import Invalid
from mercat.web.routes import PREFIX

TEE = {"title": "A tee", "description": "", "category": "Cups", "price": 20, "quantity": 9}
VISIBLE = re.compile(r'name="(price|quantity|sku|gtin|picture|out)-([^"]+)"')


def picture(colour):
    out = BytesIO()
    Image.new("RGB", (300, 300), colour).save(out, "PNG")
    return out.getvalue()


class Desk:
    """A seller at the forms of one product."""

    def __init__(self, people, product_id):
        self.people = people
        self.client = people.seller
        self.product_id = product_id
        self.at = f"/desk/products/{product_id}"

    async def page(self, path="variants"):
        answer = await self.client.get(f"{self.at}/{path}")
        assert answer.status_code == 200, answer.text
        return answer.text

    async def hidden(self, path="variants"):
        text = await self.page(path)
        return {
            name: found[1]
            for name in ("csrf", "seen")
            if (found := re.search(rf'name="{name}" value="([^"]+)"', text))
        }

    async def send(self, path, typed, shown="variants", **more):
        return await self.client.post(f"{self.at}/{path}", data=await self.hidden(shown) | typed, **more)

    async def pressed(self, path, typed, **more):
        answer = await self.send(path, typed, **more)
        assert answer.status_code == 303, answer.text

    async def options(self, *options, price="20", quantity="0", missing=True):
        typed = {"price": price, "quantity": quantity} | ({"missing": "1"} if missing else {})
        for n, (name, *values) in enumerate(options, 1):
            typed |= {f"name_{n}": name, f"values_{n}": "\n".join(values)}
        return await self.send("options", typed)

    async def product(self):
        return (await self.client.get(f"{PREFIX}/seller/products/{self.product_id}")).json()

    async def variants(self, *fields):
        """What stands, by the values of the options."""
        shown = await self.product()
        names = [each["name"] for each in shown["options"]]
        return {
            tuple(each["options"][name] for name in names): tuple(each[field] for field in fields)
            for each in shown["variants"]
        }

    async def rows(self):
        """What the page has typed in already."""
        text = await self.page()
        typed = {f"{name}-{key}": "" for name, key in VISIBLE.findall(text) if name != "out"}
        for name in typed:
            if found := re.search(rf'name="{name}"[^>]* value="([^"]*)"', text):
                typed[name] = found[1]
            elif found := re.search(rf'name="{name}".*?</select>', text, re.DOTALL):
                chosen = re.search(r'<option value="(\w+)" selected', found[0])
                typed[name] = chosen[1] if chosen else ""
        return typed

    async def key(self, *values):
        shown = await self.product()
        return next(
            each["sku_id"] for each in shown["variants"] if set(each["options"].values()) == set(values)
        )


@pytest.fixture
async def desk(people):
    made = await people.seller.post(f"{PREFIX}/seller/products", json=TEE)
    assert made.status_code == 201, made.text
    return Desk(people, made.json()["product_id"])


COLOURS = ("Colour", "Red", "Blue")
SIZES = ("Size", "S", "M", "L")


async def test_options_make_every_combination_and_keep_what_is_there(desk):
    only = (await desk.product())["variants"][0]["sku_id"]
    answer = await desk.options(COLOURS)
    assert answer.status_code == 303, answer.text
    assert await desk.variants("price", "quantity") == {("Red",): (20.0, 9), ("Blue",): (20.0, 0)}
    assert await desk.key("Red") == only
    await desk.options(COLOURS, SIZES, price="22.50", quantity="7")
    found = await desk.variants("price", "quantity")
    assert list(found) == [(colour, size) for colour in COLOURS[1:] for size in SIZES[1:]]
    assert found["Red", "S"] == (20.0, 9)
    assert found["Red", "M"] == found["Blue", "L"] == (22.5, 7)
    assert await desk.key("Red", "S") == only


async def test_the_same_options_again_change_nothing(desk):
    await desk.options(COLOURS, SIZES)
    before = await desk.product()
    assert (await desk.options(COLOURS, SIZES)).status_code == 303
    assert await desk.product() == before


async def test_a_value_taken_out_takes_its_variants_off_sale(desk):
    await desk.options(COLOURS, SIZES)
    await desk.options(COLOURS, ("Size", "S", "M"), missing=False)
    assert len(await desk.variants()) == 4
    await desk.options(COLOURS, missing=False)
    assert await desk.variants("quantity") == {("Red",): (9,), ("Blue",): (0,)}
    answer = await desk.options(("Colour", "Green"), missing=False)
    assert answer.status_code == 422
    assert "No variant would be left" in answer.text
    assert len(await desk.variants()) == 2


@one_scene(
    ("typed", "words"),
    [
        ({"name_1": "Colour", "values_1": ""}, "Fill this in"),
        ({"name_1": "", "values_1": "Red"}, "Fill this in"),
        ({"name_1": "A", "values_1": "x", "name_2": "A", "values_2": "y"}, "Another option has this name"),
        ({"name_1": "A", "values_1": "x" * 256}, "at most 255 characters"),
        ({"name_1": "A", "values_1": "x", "price": "dear"}, "A price is a number"),
        ({"name_1": "A", "values_1": "x", "quantity": "-1"}, "A whole number"),
        (
            {f"{what}_{n}": f"{what}{n}" if what == "name" else "\n".join("abcdefghijk") for n in (1, 2, 3, 4)
             for what in ("name", "values")},
            "At most 2,000 variants; these options make 14,641",
        ),
    ],
)  # fmt: skip
async def test_options_that_do_not_fit_are_said_and_nothing_is_written(desk, typed, words):
    before = await desk.product()
    answer = await desk.send("options", {"missing": "1", "price": "1", "quantity": "0"} | typed)
    assert answer.status_code == 422
    assert words in answer.text
    assert await desk.product() == before


async def test_each_variant_has_its_price_stock_codes_and_picture(desk):
    files = [("file", (f"{n}.png", picture(n), "image/png")) for n in ("red", "blue")]
    await desk.pressed("pictures/new", {}, files=files, shown="pictures")
    await desk.options(COLOURS)
    red, blue = await desk.key("Red"), await desk.key("Blue")
    typed = await desk.rows()
    assert typed[f"price-{red}"] == "20.00"
    typed |= {f"price-{blue}": "25", f"quantity-{blue}": "4", f"quantity-{red}": "8"}
    typed |= {f"sku-{blue}": "TEE-B", f"gtin-{blue}": "4006381333931", f"picture-{blue}": "2"}
    await desk.pressed("variants", typed)
    images = (await desk.product())["images"]
    assert await desk.variants("price", "quantity", "sku", "gtin", "image_url") == {
        ("Red",): (20.0, 8, None, None, images[0]),
        ("Blue",): (25.0, 4, "TEE-B", "4006381333931", images[1]),
    }
    before = await desk.product()
    await desk.pressed("variants", await desk.rows())
    assert await desk.product() == before
    typed = await desk.rows() | {f"out-{blue}": "1"}
    await desk.pressed("variants", typed)
    assert list(await desk.variants()) == [("Red",)]


async def test_what_is_wrong_with_a_variant_is_said_at_its_field(desk):
    await desk.options(COLOURS)
    red, blue = await desk.key("Red"), await desk.key("Blue")
    before = await desk.product()
    for typed, field, words in (
        ({f"price-{blue}": "dear"}, f"price-{blue}", "A price is a number"),
        ({f"quantity-{red}": "x"}, f"quantity-{red}", "A whole number"),
        ({f"gtin-{blue}": "4006381333932"}, f"gtin-{blue}", "check digit"),
        ({f"sku-{red}": "T", f"sku-{blue}": "T"}, f"sku-{blue}", "Another variant has this SKU"),
    ):
        answer = await desk.send("variants", await desk.rows() | typed)
        assert answer.status_code in (409, 422)
        assert re.search(rf'id="w-{field}">[^<]*{words}', answer.text), answer.text
        assert await desk.product() == before
    answer = await desk.send("variants", await desk.rows() | {f"out-{red}": "1", f"out-{blue}": "1"})
    assert "at least one variant" in answer.text
    assert await desk.product() == before


async def test_what_was_sold_meanwhile_is_not_overwritten(desk):
    await desk.options(COLOURS, quantity="5")
    blue = await desk.key("Blue")
    typed = await desk.rows() | await desk.hidden() | {f"quantity-{blue}": "3", f"sku-{blue}": "B"}
    await desk.pressed("fill", {"which": "0.1", "quantity": "4"})
    answer = await desk.client.post(f"{desk.at}/variants", data=typed)
    assert answer.status_code == 412
    assert 'value="B"' in answer.text, "what was typed is kept"
    assert (await desk.variants("quantity", "sku"))[("Blue",)] == (4, None)


async def test_many_are_filled_at_once(desk):
    await desk.options(COLOURS, SIZES)
    await desk.pressed("fill", {"which": "all", "price": "30", "quantity": "2"})
    assert set((await desk.variants("price", "quantity")).values()) == {(30.0, 2)}
    await desk.pressed("fill", {"which": "0.1", "price": "31"})
    prices = await desk.variants("price")
    shown = (await desk.product())["options"]
    assert shown == [
        {"name": "Colour", "values": ["Red", "Blue"]},
        {"name": "Size", "values": ["S", "M", "L"]},
    ]
    assert {key for key, value in prices.items() if value == (31.0,)} == {("Blue", each) for each in "SML"}
    answer = await desk.send("fill", {"which": "7.7", "price": "31"})
    assert answer.status_code == 422
    answer = await desk.send("fill", {"which": "all", "price": "dear"})
    assert answer.status_code == 422
    assert "A price is a number" in answer.text


@pytest.mark.long
async def test_two_thousand_variants_are_paged_and_each_page_is_saved_alone(desk):
    letters = [f"v{n}" for n in range(50)]
    answer = await desk.options(("A", *letters), ("B", *letters[:40]))
    assert answer.status_code == 303, answer.text
    text = await desk.page("variants?page=20")
    assert "1901\u20132000" in text
    assert len(re.findall(r'name="price-', text)) == 100
    key = re.findall(r'name="price-([^"]+)"', text)[-1]
    await desk.pressed(
        "variants?page=20", await desk.hidden() | {f"price-{key}": "77", f"quantity-{key}": "1"}
    )
    assert sorted((await desk.variants("price")).values())[-2:] == [(20.0,), (77.0,)]


async def test_all_go_on_sale_and_off_it_together(desk):
    await desk.options(COLOURS)
    await desk.pressed("status", {"status": "paused"})
    assert set((await desk.variants("status")).values()) == {("paused",)}
    await desk.pressed("status", {"status": "active"})
    assert set((await desk.variants("status")).values()) == {("active",)}


async def test_another_sellers_variants_are_not_there(desk, people):
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Ann's"})).status_code == 201
    for path in ("variants", "pictures"):
        assert (await people.shopper.get(f"{desk.at}/{path}")).status_code == 404
        assert (await people.nobody.get(f"{desk.at}/{path}")).status_code in (302, 303, 401)


async def test_pictures_are_put_in_order_said_and_removed(desk):
    names = ("red", "blue", "green")
    files = [("file", (f"{n}.png", picture(n), "image/png")) for n in names]
    bad = [("file", ("bad.png", b"no picture", "image/png"))]
    answer = await desk.send("pictures/new", {}, files=files + bad, shown="pictures")
    assert answer.status_code == 422
    assert "bad.png" in answer.text
    red, blue, green = (await desk.product())["images"]
    await desk.send("pictures/new", {}, files=files[:1], shown="pictures")
    assert (await desk.product())["images"] == [red, blue, green], "the same file again is the same picture"
    typed = {"alt_1": "A red tee", "place_1": "3", "alt_2": "", "place_2": "2", "alt_3": "x", "place_3": "3"}
    await desk.pressed("pictures", typed, shown="pictures")
    assert (await desk.product())["images"] == [blue, green, red]
    page = await desk.people.nobody.get(f"/p/{desk.product_id}")
    assert 'alt="A red tee"' in page.text
    assert "image/avif" in page.text
    typed = {"place_1": "1", "place_2": "2", "place_3": "1", "out_2": "1"}
    await desk.pressed("pictures", typed, shown="pictures")
    assert (await desk.product())["images"] == [red, blue]
    answer = await desk.send("pictures", {"place_1": "0"}, shown="pictures")
    assert answer.status_code == 422
    await desk.pressed("pictures", {"out_1": "1", "out_2": "1"}, shown="pictures")
    assert "No picture yet" in await desk.page("pictures")


async def test_the_chosen_variants_picture_is_in_the_gallery_the_cart_and_the_order(desk, people):
    files = [("file", (f"{n}.png", picture(n), "image/png")) for n in ("red", "blue")]
    await desk.pressed("pictures/new", {}, files=files, shown="pictures")
    await desk.options(COLOURS, quantity="5")
    await desk.pressed("fill", {"which": "0.0", "picture": "1"})
    await desk.pressed("fill", {"which": "0.1", "picture": "2"})
    red, blue = (await desk.product())["images"]
    key = await desk.key("Blue")
    page = (await people.nobody.get(f"/p/{desk.product_id}?variant={key}")).text
    stem = blue.rpartition(".")[0]
    first = page.partition('id="picture-1"')[2].partition("srcset=")[2]
    assert first.startswith(f'"{stem}')
    swatches = page.partition('<div class="options">')[2].partition("</div>")[0]
    assert red.rpartition(".")[0] in swatches
    assert stem in swatches
    assert '"ProductGroup"' in page
    offer = next(each for each in (await desk.product())["variants"] if each["sku_id"] == key)
    await people.shopper.post(f"{PREFIX}/cart/items", json={"offer_id": offer["offer_id"], "quantity": 1})
    cart = (await people.shopper.get(f"{PREFIX}/cart")).json()
    assert [each["image_url"] for each in cart["items"]] == [blue]


def listed(n, **options):
    return ListedVariant(
        sku_id=SkuId(n), offer_id=OfferId(n), options=options, sku=None, gtin=None, price=1,
        compare_at_price=None, currency="USD", status="active", weight_g=None, images=[],
    )  # fmt: skip


def test_combinations_are_decided_without_a_database():
    new = GivenVariant(price=5, quantity=1)
    found = combined([listed(1)], {"A": ["x", "y"]}, new)
    assert [(each.sku_id, each.options) for each in found] == [(1, {"A": "x"}), (None, {"A": "y"})]
    found = combined([listed(1, A="y"), listed(2, A="z")], {"A": ["x", "y"]}, None)
    assert [(each.sku_id, each.options) for each in found] == [(1, {"A": "y"})]
    found = combined([listed(1, A="x", B="1"), listed(2, A="x", B="2")], {"A": ["x"]}, None)
    assert [each.sku_id for each in found] == [1]
    assert [each.options for each in combined([listed(1, A="x")], {}, new)] == [{}]
    with pytest.raises(Invalid, match=r"2,001"):
        combined([], {"A": [str(n) for n in range(2_001)]}, new)
