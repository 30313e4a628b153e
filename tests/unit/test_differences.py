"""What the audit log keeps of a change fits, however long the documents are."""

from mercat.auditlog import DOCUMENT_MAX
from mercat.kit import codec
from mercat.web.audited import _hidden_at
from mercat.web.differences import difference, fitting


def rates(count, rate=0.19):
    return [{"country": "DE", "class": f"c{n}", "rate": rate} for n in range(count)]


def test_of_a_long_document_the_difference_is_kept():
    before = {"rates": rates(2_000), "built_in": True}
    after = {"rates": [*rates(1_999), {"country": "AT", "rate": 0.2}], "built_in": False}
    kept = difference(before, after)
    assert len(kept) <= DOCUMENT_MAX
    differs = codec.decode(kept, dict)["differs"]
    assert differs["built_in"] == {"before": True, "after": False}
    assert differs["rates"]["put_in"] == [{"country": "AT", "rate": 0.2}]
    assert differs["rates"]["taken_out"] == [{"country": "DE", "class": "c1999", "rate": 0.19}]


def test_a_difference_that_is_too_long_says_how_much_there_is_and_how_it_begins():
    kept = difference({"rates": rates(9_000)}, {"rates": rates(9_000, 0.2)})
    assert 100 < len(kept) <= DOCUMENT_MAX
    put_in = codec.decode(kept, dict)["differs"]["rates"]["put_in"]
    assert put_in[0] == {"country": "DE", "class": "c0", "rate": 0.2}
    assert put_in[-1].startswith("and ")
    assert 100 < len(fitting({"text": "x" * 99_999, "rates": rates(9_000)})) <= DOCUMENT_MAX


def test_a_short_document_is_kept_whole():
    assert codec.decode(difference({"a": 1}, {"a": 2}), dict) == {"a": 2}


def test_a_code_is_hidden_where_it_is_a_secret_and_there_alone():
    for secret in ("/operator/gift-cards", "/account/two-factor/confirm", "/signin/code", "/sessions"):
        assert "code" in _hidden_at(secret)
    for name in ("/operator/promotions/promo_1", "/operator/shipping-zones"):
        assert "code" not in _hidden_at(name)
    assert "email" in _hidden_at("/operator/people/usr_1")
