"""Pictures: uploaded, made safe, shown in any size of a short list; what is none is refused."""

import re
from base64 import b64decode
from io import BytesIO

import pytest
from msgspec.structs import replace
from one_scene import one_scene
from PIL import Image

from mercat.catalog import NewProduct
from mercat.kit.refusals import Refusal
from mercat.media import GivenPicture, PictureGone, ProductPictures, tint_of
from mercat.web.routes import PREFIX

MEDIA = f"{PREFIX}/media"
PRODUCTS = f"{PREFIX}/seller/products"
NEW = NewProduct(title="Mug", description="", category="kitchen", price=500, currency="USD", attributes={})


def picture(kind="JPEG", size=(640, 480), colour: str | int = "red", mode="RGB", **more):
    out = BytesIO()
    Image.new(mode, size, colour).save(out, kind, **more)
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


@one_scene(
    "content",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<html>no</html>",
        b"",
        b"\xff\xd8\xff\xe0",
        picture()[:200],
        picture("BMP"),
        picture("PNG", size=(9_000, 9_000), colour=1, mode="1"),
    ],
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


async def test_pictures_of_a_new_product_are_kept_said_taken_out_and_shown(people):
    typed = {"title": "Tee", "description": "Soft.", "category": "kitchen", "price": "20", "quantity": "3"}
    page = await people.seller.get("/desk/new", headers={"sec-fetch-site": "same-origin"})
    typed |= {"csrf": field_of(page.text, "csrf"), "key": field_of(page.text, "key")}

    async def send(at, files, **more):
        given = [("file", (f"{n}.jpg", each, "image/jpeg")) for n, each in enumerate(files)]
        return await people.seller.post(at, data=typed | more, files=given or {"file": ("", b"")})

    shown = await send("/desk/new/pictures", [picture(), picture(colour="blue"), b"no picture"])
    assert shown.status_code == 422
    assert "2.jpg" in shown.text
    assert 'value="Tee"' in shown.text
    drafts = {f"media_{n}": field_of(shown.text, f"media_{n}") for n in (1, 2)}
    shown = await send("/desk/new/pictures", [], **drafts, out=drafts["media_1"], alt_2="A blue tee")
    assert field_of(shown.text, "media_1") == drafts["media_2"]
    assert "A blue tee" in shown.text
    refused = await send("/desk/new", [], media_1=drafts["media_2"], alt_1="A blue tee", price="cheap")
    assert refused.status_code == 422
    assert "A blue tee" in refused.text
    said = [await send("/desk/new", [picture()], media_1=drafts["media_2"], alt_1="A blue tee") for _ in "12"]
    assert [each.headers.get("location") for each in said] == ["/desk?said=listed"] * 2, said[0].text

    mine = (await people.seller.get(PRODUCTS)).json()["products"]
    assert len(mine) == 1, "pressed twice it is listed once"
    product = (await people.nobody.get(f"{PREFIX}/products/{mine[0]['product_id']}")).json()
    assert [each["alt"] for each in product["images"]] == ["A blue tee", "Tee"]
    for each in product["images"]:
        assert (await people.nobody.get(each["url"])).status_code == 200


def field_of(page, name):
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, name
    return found[1]


async def test_pictures_that_nobody_lists_go_after_a_week_and_come_again(people, db, tmp_path):
    media, bob = people.shop.media, await db.fetchval("select seller_id from sellers.seller order by 1 desc")
    dropped, other = (GivenPicture(f"{each}.jpg", picture(colour=each)) for each in ("red", "blue"))
    taken = await media.add_drafts(bob, [dropped, other])
    gone, kept = (each.url for each in taken.media)
    small = gone.replace(".jpg", "-400.webp")
    assert (await people.nobody.get(small)).status_code == 200
    await media.add(other.content, bob)
    await db.execute("update media.holder set draft_until = draft_until - interval '8 days'")
    assert await media.forget_drafts() == 1
    assert [(await people.nobody.get(each)).status_code for each in (gone, small, kept)] == [404, 404, 200]
    alts = {each.media_id: "" for each in taken.media}
    with pytest.raises(PictureGone):
        await media.list_product(bob, NEW, 1, "key", ProductPictures(alts, []))
    again = await media.add_drafts(bob, [dropped])
    assert again.media[0].url == gone
    assert (await people.nobody.get(small)).status_code == 200
    assert await media.forget_drafts() == 0


async def test_a_picture_has_its_nine_colours_in_its_address_and_shows_them_at_once(people):
    made = await uploaded(people.seller, picture(colour="#ff0011"))
    assert made["url"].endswith("x" + 9 * "f01" + ".jpg")
    drawn = Image.open(BytesIO(b64decode(tint_of(made["url"]).partition("base64,")[2])))
    assert (drawn.size, drawn.getpixel((1, 1))) == ((3, 3), (255, 0, 17))
    ask = {"title": "Mug", "description": "", "category": "kitchen", "price": 5, "quantity": 1}
    listed = await people.seller.post(PRODUCTS, json=ask | {"media": [made["media_id"]]})
    page = await people.nobody.get(f"/p/{listed.json()['product_id']}")
    assert tint_of(made["url"]) in page.text
    assert "img-src 'self' data:" in page.headers["content-security-policy"]
    see_through = await uploaded(people.seller, see_through_picture())
    assert "x" not in see_through["url"]
    assert tint_of(see_through["url"]) == ""


def see_through_picture():
    out = BytesIO()
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(out, "PNG")
    return out.getvalue()


async def test_a_picture_outlives_a_listing_that_was_cut_off(people, db):
    """It is kept before the product is listed: what dies in between loses nothing, and comes again."""
    media, bob = people.shop.media, await db.fetchval("select seller_id from sellers.seller order by 1 desc")
    [red] = (await media.add_drafts(bob, [GivenPicture("red.jpg", picture())])).media
    pictures = ProductPictures({red.media_id: "Red"}, [])
    with pytest.raises(Refusal):
        await media.list_product(bob, replace(NEW, category="not-there"), 1, "key", pictures)
    await db.execute("update media.holder set draft_until = draft_until - interval '8 days'")
    assert await media.forget_drafts() == 0
    for _ in range(2):
        await media.list_product(bob, NEW, 1, "key", pictures)
    [listed] = (await people.seller.get(PRODUCTS)).json()["products"]
    assert listed["image_url"] == red.url
