"""Every page, inspected: structure, names, contrast, targets, width; and who may keep it."""

import pytest
from browser.conftest import DESK, PHONE
from browser.steps import fill_in, press_until_ordered, put_in_cart, sign_in
from playwright.sync_api import expect

PUBLIC = [
    "/",
    "/departments",
    "/search",
    "/search?q=zzzzqqqq",
    "/help",
    "/search?page=999",
    "/flash",
    "/flash/demo",
]
GUEST = ["/cart", "/signin", "/register", "/orders", "/sell", "/nowhere"]
MEMBER = ["/account", "/wishlist", "/orders", "/checkout"]
SELLER = [
    "/desk",
    "/desk/new",
    "/desk/upload",
    "/desk/orders",
    "/desk/returns",
    "/desk/returns?status=requested",
    "/desk/orders?status=all",
    "/desk/low-stock",
    "/desk/money",
    "/desk/money?amount=12.50",
    "/desk/money/lines",
    "/desk/low-stock?which=every",
    "/desk/exports",
    "/desk/promotions",
    "/desk/promotions/new",
    "/desk/price-edits",
    "/desk/keys",
    "/desk/webhooks",
    "/desk/reports/products",
]
OPERATOR = [
    "/operator",
    "/operator/orders",
    "/operator/people",
    "/operator/people?which=operators",
    "/operator/products",
    "/operator/products?status=hidden",
    "/operator/returns",
    "/operator/returns?status=all",
    "/operator/money",
    "/operator/shipping",
    "/operator/shipping/zones/new",
    "/operator/tax",
    "/operator/payouts",
    "/operator/payouts?plan=1",
    "/operator/commissions",
    "/operator/experiments",
    "/operator/parked",
    "/operator/letters",
    "/operator/search",
    "/operator/search/changes",
    "/operator/search/new?kind=pin",
    "/operator/search/new?kind=boost",
    "/operator/search/new?kind=synonym",
    "/operator/laws",
    "/operator/exports",
    "/operator/promotions",
    "/operator/categories",
    "/operator/gift-cards",
    "/operator/markets",
    "/operator/reviews",
    "/operator/sellers",
    "/operator/audit-log",
    "/operator/reports/sales",
    "/operator/flash",
    "/operator/flash/demo",
]


def inspect(page, faults, paths):
    found = {}
    for path in paths:
        page.goto(path)
        expect(page.locator(".tools a[hx-get*=greeting]")).to_have_count(0)
        if wrong := faults(page):
            found[path] = wrong
    return found


def test_the_inspection_notices(browser, faults):
    page = browser.new_page()
    page.set_content(
        "<body style='background:#fff'><h1>one</h1><h1>two</h1><p style='color:#aaa'>pale</p><input>"
        "<img src=x><button></button><p id=x>x</p><p id=x>x</p><div style='width:3000px'>wide</div>"
        "<nav aria-label=way>a</nav><nav aria-label=way>b</nav>"
    )
    said = " ".join(faults(page))
    structure = ("2 h1", "no main", "two landmarks", "twice")
    for what in (*structure, "contrast", "no label", "no alt", "says nothing", "px wide"):
        assert what in said
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_pages_for_everybody(visit, faults, width, scheme):
    page = visit(width, color_scheme=scheme)
    page.goto("/search?stock=1&sort=rating")
    product = page.locator("#results .card a").first.get_attribute("href")
    category = page.locator(".aisles a").first.get_attribute("href")
    paths = [*PUBLIC, category, product, f"{category}?price=0-25&rating=1", *GUEST]
    assert inspect(page, faults, paths) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_pages_for_one(visit, faults, width, scheme):
    page = visit(width, color_scheme=scheme)
    sign_in(page, "ann")
    put_in_cart(page)
    assert inspect(page, faults, MEMBER) == {}
    page.goto("/checkout")
    if page.locator("#address-new").count():
        page.locator("label:has(#address-new)").click()
    fill_in(page, None)
    order_id = press_until_ordered(page)
    assert (
        inspect(page, faults, [f"/orders/{order_id}", f"/orders/{order_id}/return", "/dev/mail", "/cart"])
        == {}
    )


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize(("who", "paths"), [("bob", SELLER), ("ops", OPERATOR)])
def test_desks(visit, faults, who, paths, width):
    page = visit(width)
    sign_in(page, who)
    assert inspect(page, faults, paths) == {}
    if who == "bob":
        page.goto("/desk")
        edit = page.locator("a[href^='/desk/products/prod_']").first.get_attribute("href")
        assert inspect(page, faults, [edit]) == {}


def test_everybody_gets_the_same_page_and_only_one_gets_theirs(visit):
    somebody, ann = visit(), visit()
    sign_in(ann, "ann")
    put_in_cart(ann)
    somebody.goto("/search?stock=1&sort=rating")
    product = somebody.locator("#results .card a").first.get_attribute("href")
    for path in ("/", product, "/search?q=a", "/departments"):
        first, second = somebody.request.get(path), ann.request.get(path)
        assert first.body() == second.body()
        assert first.headers["cache-control"].startswith("public, max-age=")
        assert first.headers["surrogate-key"]
        assert "set-cookie" not in first.headers
        assert "set-cookie" not in second.headers
        again = somebody.request.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert again.status in (200, 304)
    for path in ("/cart", "/account", "/checkout", "/orders", "/fragments/badge", "/fragments/greeting"):
        assert ann.request.get(path).headers["cache-control"] == "private, no-store"


def test_a_policy_without_exceptions_breaks_nothing(visit):
    page = visit()
    said = []
    page.on(
        "console",
        lambda message: said.append(message.text) if "Content Security Policy" in message.text else None,
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    title = put_in_cart(page)
    for path in ("/", "/cart", "/checkout", "/search?q=a"):
        page.goto(path)
        expect(page.locator(".tools a[hx-get*=greeting]")).to_have_count(0)
    policy = page.request.get("/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert said == []
    assert title


def test_robots_find_their_way(visit):
    page = visit()
    assert "Sitemap: " in page.request.get("/robots.txt").text()
    index = page.request.get("/sitemap.xml").text()
    assert "/sitemap/pages.xml" in index
    assert "/p/prod_" in page.request.get("/sitemap/1.xml").text()
    assert "/c/" in page.request.get("/sitemap/pages.xml").text()
    page.goto("/search?stock=1&sort=rating")
    page.locator("#results .card a").first.click()
    linked = page.evaluate(
        "JSON.parse(document.querySelector('script[type=\"application/ld+json\"]').textContent)"
    )
    one = linked["hasVariant"][0] if linked["@type"] == "ProductGroup" else linked
    assert one["@type"] == "Product"
    assert float(one["offers"]["price"]) > 0
    assert (
        page.locator("link[rel=canonical]")
        .get_attribute("href")
        .endswith(page.url.partition("/p/")[2].partition("?")[0])
    )


def test_what_is_not_there_is_a_page_that_says_so(visit):
    page = visit()
    for path in ("/nowhere", "/p/prod_0000000000000", "/p/nonsense", "/c/no-such-place"):
        assert page.goto(path).status == 404
        assert page.get_by_role("link", name="To the shop").count() == 1
    assert page.request.post("/nowhere").status == 404
    told = page.request.post("/help")
    assert (told.status, told.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert "That cannot be done here" in told.text()
    page.goto("/operator")
    assert "/signin" in page.url
    sign_in(page, "ann")
    assert page.goto("/operator").status == 403
    assert page.get_by_role("heading", level=1).inner_text() == "This is not yours to do"
