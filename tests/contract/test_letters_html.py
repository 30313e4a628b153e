"""A letter's text and HTML come from one template, and nothing that people typed becomes a part of either."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from mercat import events, ids
from mercat.kit import codec
from mercat.notifications import letters
from mercat.notifications.letter import write
from mercat.notifications.letters import KINDS

NASTY = (
    '<script>alert("1")</script>\r\nBcc: eve@example.com\n\n</td></table>&amp; {{ 7*7 }} \x00\u202e"\' <b>'
)
ADDRESS = {"name": NASTY, "line1": "1 Main St", "city": "Springfield", "country": "US"}
LINE = events.OrderLine(
    order_line_id=ids.LineId(3),
    product_id=ids.ProductId(4),
    offer_id=ids.OfferId(5),
    seller_id=ids.SellerId(6),
    title=NASTY,
    quantity=2,
    unit_price=500,
    total=1_000,
)
PLACED = events.OrderPlaced(
    order_id=ids.OrderId(1),
    checkout_id=ids.CheckoutId(1),
    cart_id=ids.CartId(1),
    user_id=ids.UserId(11),
    email="ann@example.com",
    total=1_000,
    currency="USD",
    lines=[LINE],
    placed_at=datetime(2026, 3, 1, tzinfo=UTC),
    address=ADDRESS,
)
BACK = {
    "return_id": ids.ReturnId(2),
    "order_id": ids.OrderId(1),
    "user_id": ids.UserId(11),
    "seller_id": ids.SellerId(6),
    "seller_name": NASTY,
}
INSIDE = [events.ReturnLine(order_line_id=ids.LineId(3), title=NASTY, quantity=2)]
PERSON = {"user_id": ids.UserId(11), "email": "ann@example.com", "name": NASTY}
FACTS: dict[str, events.Event] = {
    "order_confirmed": PLACED,
    "return_requested": events.ReturnRequested(
        **BACK, reason="other", comment="", lines=INSIDE, approved=False
    ),
    "return_to_decide": events.ReturnRequested(
        **BACK, reason="other", comment=NASTY, lines=INSIDE, approved=False, seller_email="bob@example.com"
    ),
    "return_refused": events.ReturnRefused(**BACK, by="seller", why=NASTY),
    "return_refunded": events.ReturnRefunded(
        **BACK, amount=750, currency="USD", withheld=250, withheld_because=NASTY
    ),
    "gift_card": events.GiftCardSold(
        gift_card_id=ids.GiftCardId(9),
        order_id=ids.OrderId(1),
        amount=2_500,
        currency="USD",
        email="gran@example.com",
        name=NASTY,
        message=NASTY,
        sender=NASTY,
    ),
    "welcome": events.AccountOpened(**PERSON, link_id=ids.LinkId(9)),
    "already_registered": events.AccountOpenedAgain(**PERSON, notice_id=ids.LinkId(9)),
}


class Reader(HTMLParser):
    """What a mail program sees: tags, addresses, words."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.links, self.words = set(), [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        given = dict(attrs)
        assert not [name for name in given if name.startswith("on")]
        if tag == "a":
            self.links.append(given["href"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


@pytest.fixture
def written(settings):
    shop = msgspec.structs.replace(settings, public_url="https://shop.example")

    def written(kind):
        return write(shop, kind, KINDS[kind], codec.text(FACTS[kind]), codec.text(PLACED))

    return written


@pytest.mark.parametrize("kind", FACTS)
def test_what_people_typed_is_words_and_nothing_else(written, kind):
    letter = written(kind)
    page = Reader()
    page.feed(letter.html)
    assert page.open == []
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body", "table", "tr", "td", "p", "h1", "a", "b", "br")
    }
    assert '<script>alert("1")</script>' in page.words
    assert "{{ 7*7 }}" in page.words
    for text in (letter.subject, letter.body, letter.html):
        assert not re.search("[\x00\r\u202e]", text)
    assert not [line for line in letter.body.splitlines() if line.startswith("Bcc:")]
    assert "\n" not in letter.subject


@pytest.mark.parametrize("kind", FACTS)
def test_text_and_html_say_the_same_and_lead_to_the_same_places(written, kind):
    letter = written(kind)
    page = Reader()
    page.feed(letter.html)
    assert set(re.findall(r"https://shop\.example\S*", letter.body)) == set(page.links)
    assert all(link.startswith("https://shop.example/") for link in page.links)
    assert "src=" not in letter.html
    shown = " ".join(page.words.split())
    for line in letter.body.splitlines():
        for part in re.split(r": |(?<!:):$|^\"|\"$", line.strip()):
            assert part in shown or part.startswith("https://") or part == "--"


def test_every_kind_has_words_and_needs_no_other_file():
    there = {
        path.stem for path in Path(letters.__file__).parent.glob("*.txt") if not path.stem.startswith("_")
    }
    assert there == set(KINDS)


@pytest.mark.parametrize(
    ("points", "cards", "said"),
    [
        (["", ""], [], "Total: $10.00 It goes to:"),
        (["Corner", ""], [], "Fetch at Corner, 1 High St: Cup 0. The rest goes to:"),
        (
            ["Corner", "Kiosk"],
            [],
            "Fetch at Corner, 1 High St: Cup 0. Fetch at Kiosk, 1 High St: Cup 1. You can follow it",
        ),
        (["Corner", ""], [1], "Fetch it at Corner, 1 High St. You can follow it"),
        (["Corner"], [], "Fetch it at Corner, 1 High St. You can follow it"),
    ],
)
def test_a_confirmation_says_what_is_fetched_where_and_where_the_rest_goes(settings, points, cards, said):
    lines, parts = [], []
    for n, name in enumerate(points):
        seller_id = ids.SellerId(n + 1)
        more = {"order_line_id": ids.LineId(n), "seller_id": seller_id, "title": f"Cup {n}"}
        lines.append(msgspec.structs.replace(LINE, **more))
        point = {"pickup_name": name, "pickup_address": "1 High St"} if name else {}
        parts.append(events.PartShipping(seller_id, 0, **point))
    gift = events.GiftCardsBought([ids.LineId(n) for n in cards], "gran@example.com") if cards else None
    placed = msgspec.structs.replace(PLACED, lines=lines, part_shipping=parts, gift_cards=gift)
    letter = write(settings, "order_confirmed", KINDS["order_confirmed"], codec.text(placed), None)
    assert said in " ".join(letter.body.split())


OWN = f"/media/{'a' * 32}.png"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (OWN, f"https://shop.example/media/{'a' * 32}-192.jpg"),
        ("https://elsewhere.example/a.png", ""),
        ("/media/art/prod_1.svg", ""),
        ("", ""),
    ],
)
def test_what_was_bought_has_our_own_picture_by_its_whole_address(settings, url, shown):
    told = msgspec.structs.replace(settings, public_url="https://shop.example")
    placed = msgspec.structs.replace(PLACED, lines=[msgspec.structs.replace(LINE, image_url=url)])
    letter = write(told, "order_confirmed", KINDS["order_confirmed"], codec.text(placed), None)
    pictures = re.findall(r'<img src="([^"]*)" alt="([^"]+)"', letter.html)
    assert [address for address, _ in pictures] == ([shown] if shown else [])
    assert all("alert" in alt and "<" not in alt for _, alt in pictures)
    assert "<img" not in letter.body
