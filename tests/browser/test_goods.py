"""A seller's pictures and variants, by mouse, by drag and without a script; then the shopper chooses."""

import re
import uuid
from io import BytesIO

import pytest
from browser.conftest import PHONE
from browser.steps import sign_in
from PIL import Image
from playwright.sync_api import expect


def picture(colour):
    out = BytesIO()
    Image.new("RGB", (600, 600), colour).save(out, "JPEG")
    return {"name": f"{colour}.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def new_product(page):
    """List a product; answer its title. The page shows the products."""
    sign_in(page, "bob", "/desk")
    return another_product(page)


def another_product(page):
    title = f"Tee {uuid.uuid4().hex[:8]}"
    page.goto("/desk/new")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Description").fill("Soft.")
    page.get_by_label("Price").fill("20")
    page.get_by_label("How many are there").fill("3")
    page.get_by_label("Department").select_option(index=1)
    page.get_by_role("button", name="Put it on sale").click()
    page.wait_for_url("**/desk?said=listed")
    return title


def upload(page, title, *colours):
    page.goto("/desk")
    page.get_by_role("link", name=f"Pictures of {title}").click()
    page.get_by_label("New pictures").set_input_files([picture(each) for each in colours])
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_label("Place of picture", exact=False)).to_have_count(len(colours))


def set_options(page, *options):
    for n, (name, values) in enumerate(options, 1):
        page.get_by_label(f"Option {n}", exact=True).fill(name)
        page.get_by_label(f"Values of option {n}").fill("\n".join(values))
        if n < len(options):
            page.get_by_role("button", name="Save the options").click()
            expect(page.locator("main .notice.good")).to_contain_text("Saved")
    page.get_by_label("How many of each").fill("5")
    page.get_by_role("button", name="Save the options").click()
    expect(page.locator("main .notice.good")).to_contain_text("Saved")


@pytest.mark.parametrize("scripts", [True, False])
def test_from_pictures_and_options_to_the_picture_in_the_cart(visit, scripts, faults):
    bob = visit(scripts=scripts)
    title = new_product(bob)
    upload(bob, title, "red", "blue")
    bob.get_by_label("What picture 1 shows").fill("A red tee")
    bob.get_by_role("button", name="Save").click()
    expect(bob.locator("main .notice.good")).to_contain_text("Saved")
    if scripts:
        assert faults(bob) == []
    bob.get_by_role("link", name="Variants", exact=True).click()
    set_options(bob, ("Colour", ["Red", "Blue"]), ("Size", ["S", "M"]))
    expect(bob.get_by_role("heading", name="4 variants")).to_be_visible()
    for colour, place in (("Red", "1"), ("Blue", "2")):
        bob.get_by_label("Which").select_option(label=f"Colour: {colour}")
        bob.get_by_label("Picture for these").select_option(place)
        bob.get_by_role("button", name="Fill in").click()
        expect(bob.locator("main .notice.good")).to_contain_text("Filled in")
    bob.get_by_label("Barcode of Blue, M").fill("4006381333932")
    bob.get_by_label("Price of Blue, M").fill("25")
    bob.get_by_role("button", name="Save the variants").click()
    expect(bob.locator("td .wrong")).to_contain_text("check digit")
    expect(bob.get_by_label("Price of Blue, M")).to_have_value("25")
    bob.get_by_label("Barcode of Blue, M").fill("4006381333931")
    bob.get_by_role("button", name="Save the variants").click()
    expect(bob.locator("main .notice.good")).to_contain_text("Saved")
    if scripts:
        assert faults(bob) == []
        bob.set_viewport_size({"width": PHONE, "height": 900})
        assert faults(bob) == []

    shopper = visit(scripts=scripts)
    shopper.goto(bob.get_by_role("link", name=title, exact=True).get_attribute("href"))
    first = shopper.locator("#picture-1 img")
    options = shopper.locator(".options")
    options.get_by_role("link", name="Red").click()
    red = first.get_attribute("src")
    options.get_by_role("link", name="Blue").click()
    expect(first).not_to_have_attribute("src", red)
    blue = (first.get_attribute("src") or "").partition("-")[0]
    options.get_by_role("link", name="M", exact=True).click()
    expect(shopper.locator(".cost")).to_have_text("$25.00")
    expect(options.locator("img")).to_have_count(2)
    assert first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    if scripts:
        assert faults(shopper) == []
    shopper.locator(".tocart button").click()
    if scripts:
        expect(shopper.locator("#added")).to_contain_text("Added")
    shopper.goto("/cart")
    expect(shopper.locator(f"main img[src^='{blue}']")).to_have_count(1)


def test_pictures_are_dropped_on_the_form_and_named_where_they_are_none(visit):
    bob = visit()
    title = new_product(bob)
    bob.get_by_role("link", name=f"Pictures of {title}").click()
    bob.evaluate(
        """async ([bytes, words]) => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(bytes)], "green.jpg", { type: "image/jpeg" }));
            files.items.add(new File([words], "words.jpg", { type: "image/jpeg" }));
            const form = document.querySelector("[data-drop]");
            for (const kind of ["dragenter", "dragover", "drop"])
                form.dispatchEvent(
                    new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: files }));
        }""",
        [list(picture("green")["buffer"]), "no picture"],
    )
    expect(bob.locator("main [role=alert]")).to_contain_text("words.jpg")
    expect(bob.get_by_label("Place of picture 1")).to_be_visible()
    expect(bob.get_by_label("Place of picture 2")).to_have_count(0)


def test_the_forms_are_filled_by_keyboard(visit):
    bob = visit()
    title = new_product(bob)
    bob.get_by_role("link", name=f"Variants of {title}").focus()
    bob.keyboard.press("Enter")
    bob.get_by_label("Option 1", exact=True).focus()
    bob.keyboard.type("Size")
    bob.keyboard.press("Tab")
    bob.keyboard.type("S\nM")
    bob.get_by_role("button", name="Save the options").focus()
    bob.keyboard.press("Enter")
    expect(bob.get_by_role("heading", name="2 variants")).to_be_visible()


@pytest.mark.parametrize("width", [PHONE, 1_280])
def test_many_prices_are_seen_changed_and_put_back(visit, width, faults):
    bob = visit(width=width)
    title, other = new_product(bob), another_product(bob)
    bob.goto("/desk")
    bob.get_by_label(f"Choose {title}").check()
    bob.get_by_label(f"Choose {other}").check()
    bob.get_by_role("button", name="Change prices of the chosen").click()
    expect(bob.get_by_text("Of 2 products that you chose")).to_be_visible()
    bob.get_by_label("Price", exact=True).select_option("percent_less")
    bob.get_by_role("button", name="See what it does").click()
    expect(bob.locator("#errors")).to_contain_text("Say how much")
    bob.get_by_label("By how much (optional)", exact=True).fill("12")
    bob.get_by_label("Prices end in").fill("0.99")
    bob.get_by_role("button", name="See what it does").click()
    expect(bob.get_by_role("heading", name="2 prices would be others")).to_be_visible()
    expect(bob.locator("tbody tr", has_text=title)).to_contain_text("$17.99")
    assert faults(bob) == []
    bob.get_by_role("button", name="Change these 2 prices").click()
    bob.wait_for_url("**/desk/upload/*")
    expect(bob.get_by_role("heading", name="Done")).to_be_visible()
    assert faults(bob) == []
    bob.get_by_role("button", name="Undo").click()
    expect(bob.get_by_role("heading", name="Undone")).to_be_visible()
    bob.goto("/desk")
    expect(bob.get_by_label(f"Price of {title}")).to_have_value("20.00")
    assert faults(bob) == []


@pytest.mark.parametrize("scripts", [True, False])
def test_a_new_product_has_its_pictures_before_it_is_listed(visit, scripts, faults):
    bob = visit(scripts=scripts)
    sign_in(bob, "bob", "/desk/new")
    title = f"Tee {uuid.uuid4().hex[:8]}"
    bob.get_by_label("Title").fill(title)
    bob.get_by_label("Description").fill("Soft.")
    if scripts:
        bob.evaluate(
            """([red, blue]) => {
                const files = new DataTransfer();
                for (const bytes of [red, blue])
                    files.items.add(new File([new Uint8Array(bytes)], "a.jpg", { type: "image/jpeg" }));
                const event = { bubbles: true, cancelable: true, dataTransfer: files };
                document.querySelector("[data-drop]").dispatchEvent(new DragEvent("drop", event));
            }""",
            [list(picture(each)["buffer"]) for each in ("red", "blue")],
        )
    else:
        bob.get_by_label("Choose pictures").set_input_files([picture("red"), picture("blue")])
        bob.get_by_role("button", name="Upload").click()
    expect(bob.get_by_label("What picture 1 shows")).to_be_focused()
    expect(bob.get_by_label("Title")).to_have_value(title)
    bob.get_by_label("What picture 2 shows").fill("A blue tee")
    bob.get_by_role("button", name="Remove picture 1").click()
    expect(bob.get_by_label("What picture 1 shows")).to_have_value("A blue tee")
    expect(bob.get_by_label("What picture 2 shows")).to_have_count(0)
    if scripts:
        assert faults(bob) == []
        bob.set_viewport_size({"width": PHONE, "height": 900})
        assert faults(bob) == []
    bob.get_by_label("More pictures").set_input_files([picture("green")])
    bob.get_by_label("Price").fill("20")
    bob.get_by_label("How many are there").fill("3")
    bob.get_by_label("Department").select_option(index=1)
    bob.get_by_label("Title").press("Enter")
    bob.wait_for_url("**/desk?said=listed")
    bob.get_by_role("link", name=title, exact=True).click()
    expect(bob.locator("#picture-1 img")).to_have_attribute("alt", "A blue tee")
    expect(bob.locator("#picture-1 .tint image")).to_have_attribute("href", re.compile("^data:image/png"))
    expect(bob.locator("#picture-2 img")).to_have_count(1)


def test_long_options_wrap_on_a_phone(visit, faults):
    """Names and values may have 255 characters, and no blank among them."""
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    page = visit(width=PHONE)
    title = new_product(page)
    page.get_by_role("link", name=f"Pictures of {title}").click()
    page.get_by_role("link", name="Variants", exact=True).click()
    set_options(page, ((word * 4)[:255], [(word * 5)[n : n + 255] for n in range(2)]))
    assert not faults(page)
    page.goto(f"/search?q={title}")
    page.get_by_role("link", name=title).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    assert not faults(page)
