"""Pictures: uploaded, made safe, shown in any size of a short list; what is none is refused."""

from io import BytesIO

import pytest
from PIL import Image

from mercat.web.routes import PREFIX

MEDIA = f"{PREFIX}/media"
PRODUCTS = f"{PREFIX}/seller/products"


def picture(kind="JPEG", size=(640, 480), colour="red", **more):
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, kind, **more)
    return out.getvalue()


async def upload(client, content, **more):
    return await client.post(MEDIA, files={"file": ("a.jpg", content, "image/jpeg")}, data=more)


async def uploaded(client, content, **more):
    made = await upload(client, content, **more)
    assert made.status_code == 201, made.text
    return made.json()


def opened(answer):
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
async def test_a_picture_is_taken_by_what_it_is_and_kept_for_good(people, kind):
    made = await uploaded(people.seller, picture(kind), alt="A red mug")
    assert (made["width"], made["height"], made["alt"]) == (640, 480, "A red mug")
    shown = await people.nobody.get(made["url"])
    assert opened(shown).size == (640, 480)
    assert "immutable" in shown.headers["cache-control"]
    assert shown.headers["content-type"].startswith("image/")
    again = await uploaded(people.seller, picture(kind))
    assert again == made


async def test_sizes_are_made_on_demand_in_three_formats_and_no_others(people):
    made = await uploaded(people.seller, picture(size=(1_000, 500)))
    stem = made["url"].removesuffix(".jpg")
    for kind, name in (("avif", "AVIF"), ("webp", "WEBP"), ("jpg", "JPEG")):
        for width, size in ((400, (400, 200)), (1_600, (1_000, 500))):
            image = opened(await people.nobody.get(f"{stem}-{width}.{kind}"))
            assert (image.format, image.size) == (name, size)
    for wrong in ("-401.webp", "-400.png", "-400.gif", "-99999.webp", ".gif", "-400.svg"):
        assert (await people.nobody.get(f"{stem}{wrong}")).status_code == 404
    assert (await people.nobody.get("/media/" + "0" * 32 + "-400.webp")).status_code == 404
    assert (await people.nobody.get("/media/..%2f..%2fsecret")).status_code == 404


async def test_a_picture_says_nothing_but_what_it_shows_and_stands_upright(people):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "the address of a private home"
    content = picture(exif=exif, comment=b"secret words") + b"trailing secret words"
    made = await uploaded(people.seller, content)
    assert (made["width"], made["height"]) == (480, 640)
    kept = await people.nobody.get(made["url"])
    assert not opened(kept).getexif()
    for secret in (b"private home", b"secret words"):
        assert secret not in kept.content


@pytest.mark.parametrize(
    "content",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<html>no</html>",
        b"",
        b"\xff\xd8\xff\xe0",
        picture()[:200],
        picture("BMP"),
        picture("PNG", size=(9_000, 9_000)),
    ],
    ids=["svg", "html", "empty", "magic alone", "cut off", "bmp", "81 million pixels"],
)
async def test_what_is_no_picture_that_can_be_shown_is_refused(people, content):
    refused = await upload(people.seller, content)
    assert (refused.status_code, refused.json()["code"]) == (422, "not_a_picture")
    assert refused.json()["pointer"] == "/file"


async def test_how_large_a_picture_may_be_and_who_may_send_it(people):
    large = picture("PNG") + b"x" * 11_000_000
    assert (await upload(people.seller, large)).status_code == 201
    assert (await upload(people.seller, large + b"x" * 2_000_000)).status_code == 413
    assert (await upload(people.operator, picture())).status_code == 201
    assert (await upload(people.shopper, picture())).status_code == 403
    assert (await upload(people.nobody, picture())).status_code == 401
    nothing = await people.seller.post(MEDIA, data={"alt": "x"}, files={"other": ("a", b"x", "image/png")})
    assert (nothing.status_code, nothing.json()["pointer"]) == (422, "/file")
    assert (await people.seller.post(MEDIA, json={})).status_code == 415


async def test_a_product_and_its_variants_show_media_by_id(people):
    red, blue = [
        await uploaded(people.seller, picture(colour=each), alt=f"In {each}") for each in ("red", "blue")
    ]
    ask = {
        "title": "Mug",
        "description": "",
        "category": "kitchen",
        "media": [red["media_id"]],
        "variants": [
            {"options": {"Colour": "Red"}, "price": 5, "quantity": 1},
            {"options": {"Colour": "Blue"}, "price": 6, "quantity": 1, "media": [blue["media_id"]]},
        ],
    }
    made = await people.seller.post(PRODUCTS, json=ask)
    assert made.status_code == 201, made.text
    product = (await people.nobody.get(f"{PREFIX}/products/{made.json()['product_id']}")).json()
    assert product["images"][0] == {"url": red["url"], "alt": "In red"}
    assert [each["image_url"] for each in product["variants"]] == [red["url"], blue["url"]]
    mine = (await people.seller.get(f"{PRODUCTS}/{made.json()['product_id']}")).json()
    assert mine["images"] == [red["url"]]
    assert [each["image_url"] for each in mine["variants"]] == [red["url"], blue["url"]]

    chosen = made.json()["variants"][1]
    cart = await people.shopper.post(
        f"{PREFIX}/cart/items", json={"offer_id": chosen["offer_id"], "quantity": 1}
    )
    assert cart.json()["items"][0]["image_url"] == blue["url"]
    page = (await people.nobody.get(f"/p/{product['product_id']}?variant={chosen['sku_id']}")).text
    stem = blue["url"].removesuffix(".jpg")
    assert page.index(stem) < page.index(red["url"].removesuffix(".jpg"))
    assert f"{stem}-800.avif 800w" in page


async def test_a_medium_of_another_is_not_there(people):
    mine = await uploaded(people.seller, picture())
    assert (await people.shopper.post(f"{PREFIX}/sellers", json={"name": "Ann's"})).status_code == 201
    ask = {"title": "Mug", "description": "", "category": "kitchen", "price": 5, "quantity": 1}
    refused = await people.shopper.post(PRODUCTS, json=ask | {"media": [mine["media_id"]]})
    assert (refused.status_code, refused.json()["pointer"]) == (404, "/media/0")
    variants = [{"price": 5, "media": [mine["media_id"]]}]
    refused = await people.shopper.post(PRODUCTS, json=ask | {"variants": variants})
    assert (refused.status_code, refused.json()["pointer"]) == (404, "/variants/0/media/0")
    theirs = await uploaded(people.shopper, picture())
    assert theirs["media_id"] == mine["media_id"]
    assert (await people.shopper.post(PRODUCTS, json=ask | {"media": [mine["media_id"]]})).status_code == 201
