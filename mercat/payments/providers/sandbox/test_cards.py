"""The sandbox's cards: what each is called, and what happens to a charge of it."""

from mercat.payments.provider import TestCard

TEST_CARDS = (
    TestCard("tok_visa", "Visa", "4242", "Visa that pays", "Works. The bank says yes at once."),
    TestCard(
        "tok_3ds",
        "Mastercard",
        "3155",
        "Mastercard that asks its bank first (3-D Secure)",
        "Asks first. The bank shows a page of its own where you approve or refuse (3-D Secure).",
    ),
    TestCard(
        "tok_declined",
        "Visa",
        "0002",
        "Visa that is declined",
        "Is declined. Nothing is charged and the cart stays.",
    ),
    TestCard(
        "tok_timeout_charged",
        "Visa",
        "6975",
        "Visa whose bank hangs, and has charged",
        "Hangs, then turns out to have paid, once.",
    ),
    TestCard(
        "tok_timeout_uncharged",
        "Visa",
        "6983",
        "Visa whose bank hangs, and has not charged",
        "Hangs, then turns out not to have paid.",
    ),
)
