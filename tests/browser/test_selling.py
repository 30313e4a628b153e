"""A seller lists, a shopper buys, the seller ships, the shopper sees the parcel; and what is refused."""

import csv
import uuid

from browser.steps import fill_in, press_until_ordered, sign_in
from playwright.sync_api import expect

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="400"><circle r="200"/></svg>'


def test_from_a_new_product_to_a_parcel_that_arrives(visit):
    bob, shopper = visit(), visit()
    sign_in(bob, "bob", "/desk")
    name = f"Teapot {uuid.uuid4().hex[:8]}"
    bob.goto("/desk/new")
    bob.get_by_label("Title").fill(name)
    bob.get_by_label("Description").fill("Holds one litre. Does not drip.")
    bob.get_by_label("Price").fill("24.50")
    bob.get_by_label("How many are there").fill("3")
    bob.get_by_label("Department").select_option(index=1)
    bob.get_by_role("button", name="Put it on sale").click()
    bob.wait_for_url("**/desk?said=listed")
    row = bob.locator("tr", has_text=name)
    expect(row).to_contain_text("On sale")
    row.get_by_label(f"Price of {name}").fill("22.50")
    row.get_by_role("button", name="Save price").click()
    expect(bob.locator("main .notice")).to_contain_text("new price")

    shopper.goto(
        bob.locator("tr", has_text=name).get_by_role("link", name=name, exact=True).get_attribute("href")
    )
    expect(shopper.locator(".cost")).to_have_text("$22.50")
    expect(shopper.locator(".buy .stock")).to_have_text("In stock")
    shopper.get_by_label("Quantity").fill("2")
    shopper.locator(".tocart button").click()
    expect(shopper.locator("#added")).to_contain_text("Added")
    shopper.goto("/checkout")
    fill_in(shopper)
    order_id = press_until_ordered(shopper)

    order = bob.locator(f"li.parcel:has(form[action*='{order_id}'])")

    def until(page, path, what):
        page.goto(path)
        for _ in range(60):
            if what.count():
                return
            page.wait_for_timeout(250)
            page.goto(path)
        raise AssertionError(f"{path} never showed it")

    until(bob, "/desk/orders", order)
    expect(order).to_contain_text("14 Mill Lane")
    order.get_by_label("Carrier").fill("UPS")
    order.get_by_label("Tracking number").fill("1Z999AA1")
    order.get_by_role("button", name="Ship it").click()
    expect(bob.locator("main .notice").first).to_contain_text("Shipped")

    until(shopper, f"/orders/{order_id}", shopper.get_by_text("1Z999AA1"))
    expect(shopper.get_by_text("Cancel this order")).to_have_count(0)
    parcel = bob.locator("li.parcel", has_text="1Z999AA1")
    until(bob, "/desk/orders?status=all", parcel)
    parcel.get_by_label("What happened").select_option("delivered")
    parcel.get_by_role("button", name="Mark").click()
    expect(bob.locator("main .notice").first).to_contain_text("Marked")
    until(shopper, f"/orders/{order_id}", shopper.get_by_role("heading", level=1, name="Delivered"))

    shopper.get_by_role("link", name="Send something back").click()
    shopper.get_by_label(name, exact=False).first.fill("1")
    shopper.get_by_label("Why").select_option("damaged")
    shopper.get_by_role("button", name="See what it pays back").click()
    expect(shopper.get_by_role("heading", level=1)).to_contain_text("when it is back")
    shopper.get_by_role("button", name="Ask to send it back").click()
    expect(shopper.get_by_role("heading", level=1)).to_have_text("Waiting for the seller")
    return_page = shopper.url

    bob.goto("/desk/returns?status=requested")
    bob.locator("li.parcel", has_text=name).get_by_role("button", name="Approve").click()
    expect(bob.locator("main .notice").first).to_contain_text("Approved")
    shopper.goto(return_page)
    shopper.get_by_label("Carrier").fill("UPS")
    shopper.get_by_label("Tracking number").fill("1Z999BB2")
    shopper.get_by_role("button", name="I have sent it").click()
    expect(shopper.get_by_role("heading", level=1)).to_have_text("On its way back")

    bob.goto("/desk/returns?status=in_transit")
    parcel = bob.locator("li.parcel", has_text=name)
    parcel.get_by_text("Keep a part of the price").click()
    parcel.get_by_label("How much").fill("1")
    parcel.get_by_role("button", name="Receive and pay back").click()
    expect(bob.locator("#errors")).to_contain_text("Say why.")
    parcel.get_by_label("Why").fill("The box is gone.")
    parcel.get_by_role("button", name="Receive and pay back").click()
    expect(bob.locator("main .notice").first).to_contain_text("Received")
    shopper.goto(return_page)
    expect(shopper.get_by_role("heading", level=1)).to_have_text("Paid back")
    expect(shopper.get_by_text("The box is gone.")).to_be_visible()
    shopper.get_by_role("link", name="Back to the order").click()
    expect(shopper.locator("#returns")).to_contain_text("Paid back")


def test_a_picture_that_never_comes_leaves_the_drawn_one(visit):
    bob = visit()
    sign_in(bob, "bob", "/desk")
    pages = {}
    for name, picture in (
        ("lost", "https://127.0.0.1:9/lost.png"),
        ("there", "https://pictures.example/there.svg"),
    ):
        bob.goto("/desk/new")
        title = f"Poster {name} {uuid.uuid4().hex[:8]}"
        bob.get_by_label("Title").fill(title)
        bob.get_by_label("Description").fill("To hang up.")
        bob.get_by_label("Price").fill("5")
        bob.get_by_label("How many are there").fill("1")
        bob.get_by_label("Department").select_option(index=1)
        bob.get_by_label("Picture's address").fill(picture)
        bob.get_by_role("button", name="Put it on sale").click()
        bob.wait_for_url("**/desk?said=listed")
        pages[name] = bob.get_by_role("link", name=title, exact=True).get_attribute("href")
    widths = {}
    for name, url in pages.items():
        for scripts in (True, False):
            page = visit(scripts=scripts)
            page.route(
                "https://pictures.example/**",
                lambda route: route.fulfill(content_type="image/svg+xml", body=PICTURE),
            )
            page.goto(url)
            drawn, photo = page.locator(".gallery .pic > img"), page.locator(".gallery .over img")
            expect(drawn).to_be_visible()
            assert drawn.evaluate("(image) => image.naturalWidth") > 0
            widths[name, scripts] = photo.evaluate("(image) => image.getBoundingClientRect().width")
    assert widths["lost", True] == widths["lost", False] == 0
    assert widths["there", True] == widths["there", False] > 100


def test_a_list_with_bad_rows_takes_the_good_ones_and_names_the_bad(visit):
    bob = visit()
    sign_in(bob, "bob", "/desk/upload")
    mark = uuid.uuid4().hex[:8]
    rows = [
        "external_id,title,description,category,price,quantity,attributes.Colour",
        f"{mark}1,Mug {mark},Holds tea.,tea,9.50,4,blue",
        f"{mark}2,Cup {mark},Holds tea.,tea,cheap,4,red",
        f"{mark}3,,No title.,tea,1.00,1,",
        f"{mark}4,Jug {mark},Holds more.,tea,12.00,many,",
        f"{mark}5,Pot {mark} {'x' * 500},Holds more.,tea,12.00,1,",
        f"{mark}6,Tub {mark},Holds most.,no such department,12.00,1,",
    ]
    file = {"name": "list.csv", "mimeType": "text/csv", "buffer": "\n".join(rows).encode()}
    bob.get_by_label("File", exact=True).set_input_files(file)
    bob.get_by_role("button", name="Upload").click()
    expect(bob.locator("main .notice")).to_contain_text("Done", timeout=20_000)
    bad = bob.locator("main tbody tr")
    expect(bad).to_have_count(5)
    for words in ("price", "title", "quantity", "longer than 500 characters", "There is no category"):
        expect(bad.filter(has_text=words)).not_to_have_count(0)
    bob.goto("/desk")
    expect(bob.get_by_role("link", name=f"Mug {mark}", exact=True)).to_be_visible()
    exported = list(csv.DictReader(bob.request.get("/desk/products.csv").text().splitlines()))
    [mug] = [row for row in exported if row["title"] == f"Mug {mark}"]
    assert (mug["price"], mug["stock"], mug["status"]) == ("9.50", "4", "active")
    assert len({row["offer_id"] for row in exported}) == len(exported) > 50


def test_a_seller_finds_products_and_stays_there_after_a_change(visit):
    bob = visit()
    sign_in(bob, "bob", "/desk")
    found = bob.get_by_role("search", name="Your products")
    found.get_by_label("Words of the title").fill("LAPTOP")
    found.get_by_label("Order").select_option("Dearest first")
    found.get_by_label("Order").focus()
    bob.keyboard.press("Tab")
    bob.keyboard.press("Enter")
    bob.wait_for_url("**/desk?q=LAPTOP&**")
    rows = bob.locator("tbody tr")
    titles = rows.locator("a[href^='/p/']").all_inner_texts()
    assert titles
    assert all("laptop" in title.lower() for title in titles)
    prices = [float(field.input_value()) for field in rows.get_by_label("Price of").all()]
    assert prices == sorted(prices, reverse=True)
    rows.last.get_by_label("Stock of").fill("77")
    rows.last.get_by_role("button", name="Save stock of").click()
    expect(bob.get_by_role("status").filter(has_text="The stock is set.")).to_be_visible()
    assert rows.locator("a[href^='/p/']").all_inner_texts() == titles
    expect(rows.last.get_by_label("Stock of")).to_have_value("77")
    file = bob.request.get(bob.get_by_role("link", name="These as a CSV file").get_attribute("href"))
    exported = list(csv.DictReader(file.text().splitlines()))
    assert [row["title"] for row in exported][: len(titles)] == titles
    bob.goto("/desk?q=no+such+thing")
    expect(bob.get_by_role("heading", name="Nothing matches")).to_be_visible()
    bob.get_by_role("link", name="show all", exact=True).click()
    expect(rows.first).to_be_visible()
    bob.goto("/desk/orders?status=cancelled")
    for badge in bob.locator(".parcel .between .badge").all_inner_texts():
        assert badge == "Cancelled"


def test_an_operator_narrows_orders_and_takes_them_along(visit):
    olga = visit()
    sign_in(olga, "ops", "/operator/orders?status=shipped")
    olga.get_by_role("navigation", name="Which orders").get_by_role("link", name="Confirmed").click()
    olga.wait_for_url("**/operator/orders?status=confirmed")
    shown = olga.locator("tbody tr")
    assert set(shown.locator(".badge").all_inner_texts()) <= {"Confirmed"}
    file = olga.request.get("/operator/orders.csv?status=confirmed")
    exported = list(csv.DictReader(file.text().splitlines()))
    assert {row["status"] for row in exported} <= {"confirmed"}
    assert len(exported) >= shown.count()
    assert olga.request.get("/operator/orders?status=what&before=").status == 200


def test_a_text_that_is_too_long_is_said_at_its_field_and_nothing_is_lost(visit):
    bob = visit()
    sign_in(bob, "bob", "/desk/new")
    bob.get_by_label("Title").fill("Teapot")
    described = bob.get_by_label("Description")
    described.fill("x" * 20_001)
    expect(described).to_have_value("x" * 20_000)
    described.evaluate("(area) => area.removeAttribute('maxlength')")  # a browser that does not mind
    described.fill("x" * 20_001)
    bob.get_by_label("Price").fill("24.50")
    bob.get_by_label("How many are there").fill("3")
    bob.get_by_label("Department").select_option(index=1)
    bob.get_by_label("Details").fill("Colour: blue")
    bob.get_by_role("button", name="Put it on sale").click()
    expect(described).to_have_attribute("aria-invalid", "true")
    expect(bob.locator("#w-description")).to_have_text("At most 20,000 characters.")
    expect(described).to_have_value("x" * 20_001)
    expect(bob.get_by_label("Title")).to_have_value("Teapot")
    expect(bob.get_by_label("Details")).to_have_value("Colour: blue")


def test_a_listing_is_edited_and_nobody_is_overwritten(visit):
    bob, shopper = visit(), visit()
    sign_in(bob, "bob", "/desk/new")
    name = f"Kettle {uuid.uuid4().hex[:8]}"
    bob.get_by_label("Title").fill(name)
    bob.get_by_label("Description").fill("Boils.")
    bob.get_by_label("Price").fill("30")
    bob.get_by_label("How many are there").fill("3")
    bob.get_by_label("Department").select_option(index=1)
    bob.get_by_label("Details").fill("Colour: red\nLitres: 1.5")
    bob.get_by_role("button", name="Put it on sale").click()
    bob.wait_for_url("**/desk?said=listed")
    bob.get_by_role("link", name=f"Edit {name}").click()
    bob.wait_for_url("**/desk/products/prod_*")
    expect(bob.get_by_label("Title")).to_have_value(name)
    expect(bob.get_by_label("Details")).to_have_value("Colour: red\nLitres: 1.5")
    expect(bob.get_by_label("Pictures' addresses")).to_have_value("")
    other = visit()
    sign_in(other, "bob", "/desk")
    other.goto(bob.url)

    bob.get_by_label("Title").fill(f"{name} in steel")
    bob.get_by_label("Details").fill("Colour: blue\nLitres: 1.5\nLid: hinged")
    bob.get_by_label("Pictures' addresses").fill("javascript:alert(1)")
    bob.get_by_role("button", name="Save").click()
    expect(bob.locator("#w-images")).to_contain_text("starts with https://")
    expect(bob.get_by_label("Title")).to_have_value(f"{name} in steel")
    bob.get_by_label("Pictures' addresses").fill("")
    bob.get_by_role("button", name="Save").click()
    bob.wait_for_url("**/desk?said=listing")
    expect(bob.locator("main .notice")).to_contain_text("Saved")

    shopper.goto(bob.get_by_role("link", name=f"{name} in steel", exact=True).get_attribute("href"))
    expect(shopper.get_by_role("heading", level=1)).to_have_text(f"{name} in steel")
    for words in ("blue", "1.5", "hinged"):
        expect(shopper.locator("main")).to_contain_text(words)

    other.get_by_label("Description").fill("Boils and whistles.")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("alert")).to_contain_text("was changed while you wrote")
    expect(other.get_by_label("Description")).to_have_value("Boils and whistles.")
    expect(other.get_by_label("Title")).to_have_value(name)
    other.get_by_role("button", name="Save").click()
    other.wait_for_url("**/desk?said=listing")
    shopper.reload()
    expect(shopper.locator("main")).to_contain_text("Boils and whistles.")


def test_anothers_listing_is_not_there_to_edit(visit):
    bob = visit()
    sign_in(bob, "bob", "/desk")
    mine = {each.get_attribute("href") for each in bob.locator("a[href^='/desk/products/prod_']").all()}
    assert mine
    ann = visit()
    sign_in(ann, "ann")
    assert ann.request.get(next(iter(mine))).status == 403
    assert bob.request.get("/desk/products/prod_0000000000001").status == 404
    assert bob.request.post(next(iter(mine)), form={"title": "Stolen"}).status == 403


def test_stock_counted_meanwhile_is_not_overwritten(visit):
    bob = visit()
    sign_in(bob, "bob", "/desk")
    other = bob.context.new_page()
    other.goto("/desk")
    first = "form[action^='/desk/stock/']"
    other.locator(first).first.locator("input[name=quantity]").fill("41")
    other.locator(first).first.get_by_role("button").click()
    expect(other.locator("main .notice")).to_contain_text("The stock is set")
    bob.locator(first).first.locator("input[name=quantity]").fill("7")
    bob.locator(first).first.get_by_role("button").click()
    expect(bob.get_by_role("alert")).to_contain_text("changed")
    expect(bob.locator(first).first.locator("input[name=quantity]")).to_have_value("41")


def test_an_operator_checks_the_laws(visit):
    ops = visit()
    sign_in(ops, "ops", "/operator/laws")
    ops.get_by_role("button", name="Check all laws").click()
    expect(ops.get_by_role("status").filter(has_text="law")).to_contain_text("Every law holds.")
    assert ops.locator("tbody tr").count() > 10
