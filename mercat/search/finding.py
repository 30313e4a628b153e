"""Finding: a query answered from one state of the index.

Facets are disjunctive. What no filter of its own narrows is counted in one pass over the products found; for
each other facet there is one more pass, over what would be found without its own filter.
"""

import base64
import binascii
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Raw

from mercat import money
from mercat.ids import ProductId
from mercat.kit import wire
from mercat.kit.refusals import Invalid
from mercat.search import arranging, meaning, offering, rules, traits, words
from mercat.search import text as text_of
from mercat.search.engine import DocAddress, FieldType, Occur, Order, Pages, Searcher
from mercat.search.engine import Query as Clause
from mercat.search.index import NOBODY, PRICE_BOUNDS, SPLIT, STARS, by_category, by_word
from mercat.search.judging import Judge
from mercat.search.messages import (
    LIMIT_MAX,
    PAGE_MAX,
    Card,
    Count,
    Department,
    Explained,
    Facets,
    Found,
    Query,
    Relaxed,
    SoldOut,
    Sort,
    StarCount,
    Suggestions,
    Trait,
    Why,
)
from mercat.search.ranking import CANDIDATES
from mercat.search.rules import Pin
from mercat.search.words import Word

FACET_MAX = 100
FEW_MAX, MANY = 10, 2_000
_TALLY_S, _TALLIES_MAX = 1.0, 2_000
RARE_MAX, MORE_OFTEN, MENDED_LETTERS = 2, 20, 6
DEPARTMENTS_MAX = 60_000
_BUCKETS = 1_000
_SPELLINGS = 30
_TYPED_MAX = 100
_SAMPLED_ABOVE = 50_000
_KEYS: dict[Sort, tuple[str, Order]] = {
    "price_asc": ("by_price", Order.Asc),
    "price_desc": ("by_price", Order.Desc),
    "rating": ("by_rating", Order.Desc),
    "newest": ("by_age", Order.Desc),
}
_OF_ALL = ("by_rating", Order.Desc)
"""With no words every product is as relevant: the better rating comes first."""


Tallies = dict[tuple[bytes, Any], tuple[float, Facets, int]]
"""Counts of many products, by question, and until when they are good."""
_COUNTED_BY = {"brands": "maker", "categories": "aisle", "price_ranges": "shelf", "ratings": "shelf"}
_TALLIES = {
    field: {"terms": {"field": field, "size": _BUCKETS, "segment_size": _BUCKETS}}
    for field in ("maker", "aisle", "shelf")
}


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a walk has come to: at `key`, of whose products those in `seen` have been shown; or, by
    relevance, after so many products."""

    sort: Sort
    page: int
    key: int
    seen: list[int] = []

    def shown(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def _cursor(shown: str, sort: Sort) -> Cursor:
    try:
        packed = base64.urlsafe_b64decode(shown + "=" * (-len(shown) % 4))
        cursor = msgspec.json.decode(packed, type=Cursor)
    except (ValueError, binascii.Error):
        raise Invalid("This is not a cursor of ours.", pointer="/cursor") from None
    if cursor.sort != sort:
        raise Invalid("This cursor belongs to another sort.", pointer="/cursor")
    if not (
        cursor.page > 0 and 0 <= cursor.key < 2**64 and all(0 <= product < 2**63 for product in cursor.seen)
    ):
        raise Invalid("This is not a cursor of ours.", pointer="/cursor")
    return cursor


class Text(NamedTuple):
    """A question's words: all of them, or at least so many, or all of another way to say it."""

    asked: list[Word]
    least: int | None
    ways: list[list[str]]
    matching: Clause
    """The products that have them, in no order."""
    all_words: int | None = None
    """Where few have all the words and others are found too: how many have."""


_NO_TEXT = Text([], None, [], Clause.empty_query())


class Clauses(NamedTuple):
    """A query as the engine takes it: what always holds, and the filter of each facet that has one."""

    text: Clause | None
    always: list[Clause]
    chosen: dict[str, Clause]
    filters: bytes
    """The same filters, to remember by."""

    def without(self, facet: str | None = None) -> Clause:
        if not self.narrow(facet):
            return words.term("for_sale", True)
        needed = [*self.always, *(clause for name, clause in self.chosen.items() if name != facet)]
        parts = [(Occur.Must, Clause.const_score_query(clause, 0.0)) for clause in needed]
        if self.text is not None:
            parts.append((Occur.Must, self.text))
        return parts[0][1] if len(parts) == 1 else Clause.boolean_query(parts)

    def scored(self, text: Clause) -> Clause:
        """All that is needed, with these words to score by."""
        return self._replace(text=text).without()

    def narrow(self, facet: str | None = None) -> bool:
        """Whether anything is asked at all."""
        return self.text is not None or bool(self.always) or any(name != facet for name in self.chosen)


class Finding:
    def __init__(
        self,
        searcher: Searcher,
        currency: str,
        counted: dict[str, Any] | None = None,
        judge: Judge | None = None,
        pages: Pages | None = None,
        sold_out: SoldOut = "among_others",
        tallies: Tallies | None = None,
    ) -> None:
        """`counted` remembers what was counted of all products in this state of the index. Without a judge
        and the facts it goes by, the engine's scores decide."""
        self._searcher = searcher
        self._counted: dict[str, Any] = {} if counted is None else counted
        self._unit = 10 ** money.exponent(currency)
        self._judge, self._pages = judge, pages
        self._offering = judge.offering if judge else offering.Offering()
        self._sold_out: SoldOut = sold_out
        self._tallies: Tallies = {} if tallies is None else tallies

    def find(self, query: Query) -> Found:
        if not (1 <= query.page <= PAGE_MAX and 1 <= query.limit <= LIMIT_MAX):
            raise Invalid("Pages are counted from 1 to 1,000, of at most 100 products.", pointer="/page")
        asked = words.read(query.q)
        if not asked:
            return self._page(query, None if not query.q.strip() else _NO_TEXT)
        text = self._text(asked, ways=self._ways(asked, near=False))
        found = self._page(query, text)
        if found.total < self._few():  # else it was not needed to count without the filters
            wide = self._widened(asked, text)
            if wide is not text:
                text, found = wide, self._page(query, wide)
            if not found.total and not self._count(text.matching):
                return self._relaxed(query, asked) or found
        return msgspec.structs.replace(found, all_words=text.all_words, did_you_mean=self._meant(asked))

    def _few(self) -> int:
        """So many products are few for a shop of this size."""
        return max(min(FEW_MAX, self._searcher.num_docs // 1_000), 1)

    def _ways(self, asked: list[Word], *, near: bool) -> list[list[str]]:
        """Other ways to ask: those that mean the same, or also those that are near."""
        ways = self._judge.synonyms().of([word.stem for word in asked]) if self._judge else {}
        return [list(way) for way, means_it in ways.items() if means_it or near]

    def _text(self, asked: list[Word], least: int | None = None, ways: list[list[str]] | None = None) -> Text:
        ways = ways or []
        return Text(asked, least, ways, words.matching(self._searcher, asked, least, ways))

    def _widened(self, asked: list[Word], text: Text) -> Text:
        """Where few products for a shop of this size have all the words: also those that say it otherwise or
        have most of the words."""
        few, whole = self._few(), self._count(text.matching)
        if whole >= few:
            return text
        ways = self._ways(asked, near=True)
        if len(ways) > len(self._ways(asked, near=False)):
            text = self._text(asked, ways=ways)
            if self._count(text.matching) >= few:
                return text._replace(all_words=whole)
        if not whole:
            return text
        for least in range(len(asked) - 1, 0, -1):
            wide = self._text(asked, least, ways)._replace(all_words=whole)
            if least == 1 or self._count(wide.matching) >= few:
                return wide
        return text

    def _page(self, query: Query, text: Text | None) -> Found:
        pins = self._pins(text.asked) if text is not None else []
        clauses = by_words = self._clauses(query, text.matching if text else None)
        if pins and text is not None:
            put = arranging.placeable(pins, in_stock=self._sold_out == "last")
            clauses = self._clauses(query, words.some([text.matching, Clause.const_score_query(put, 0.0)]))
        facets, total = self._remembered(clauses, query, text)
        by_key = _KEYS.get(query.sort) or (None if text is not None else _OF_ALL)
        cursor = _cursor(query.cursor, query.sort) if query.cursor else None
        page = cursor.page if cursor else query.page
        skipped = 0 if cursor else (query.page - 1) * query.limit
        if text is not None and by_key is None:
            skipped = cursor.key if cursor else skipped
            hits = (
                self._arranged(pins, clauses, by_words, text, total, query.limit, skipped)
                if skipped < total
                else []
            )
            more = skipped + len(hits) < total
            after = Cursor(query.sort, page + 1, skipped + len(hits)) if more else None
        else:
            key = by_key or _OF_ALL
            hits, more = self._sorted(clauses.without(), key, query.limit, skipped, cursor)
            after = self._after(query.sort, page, hits, cursor) if more else None
        return Found(
            results=self._cards(hits),
            total=total,
            page=page,
            total_pages=-(-total // query.limit),
            facets=facets,
            next_cursor=after.shown() if after else None,
        )

    def _pins(self, said: list[Word]) -> list[Pin]:
        by_words = self._judge.ruling.pins if self._judge else {}
        return by_words.get(rules.key(word.stem for word in said), []) if by_words and said else []

    def _arranged(
        self,
        pins: list[Pin],
        clauses: Clauses,
        by_words: Clauses,
        text: Text,
        total: int,
        limit: int,
        skipped: int,
    ) -> list[tuple[Any, DocAddress]]:
        """A page by relevance, pinned products at their places."""
        if not pins:
            return self._best(clauses, text, total, limit, skipped)
        there = arranging.pinned(self._searcher, clauses.without(), pins, in_stock=self._sold_out == "last")
        apart = [int(pin.product_id) for pin, _ in there]
        return rules.placed(
            [(pin.place, hit) for pin, hit in there],
            total,
            skipped,
            limit,
            lambda count, first: self._best(by_words, text, total, count, first, apart),
        )

    def _best(
        self,
        clauses: Clauses,
        text: Text,
        total: int,
        limit: int,
        skipped: int,
        apart: Sequence[int] = (),
    ) -> list[tuple[Any, DocAddress]]:
        """A page by relevance: the judge's order of the engine's best, then the others by score. Products in
        `apart` are judged with the others, which are compared with each other, and left out."""
        if not (text.asked and self._judge and self._pages):
            return self._scored(self._others(clauses, text, apart), limit, skipped)
        best = self._candidates(clauses, text, total)
        judged = self._products(best) if apart else []
        there = len(best) - len(set(apart) & set(judged))
        hits: list[tuple[Any, DocAddress]] = []
        if skipped < there:
            order = self._order(text, best, clauses.filters)
            if apart:
                order = [place for place in order if judged[place] not in apart]
            hits = [best[place] for place in order[skipped : skipped + limit]]
        if len(hits) == limit or len(best) < CANDIDATES:
            return hits
        missing, later = limit - len(hits), max(skipped - there, 0)
        apart = [*apart, *(judged or self._products(best))]
        return hits + self._scored(self._others(clauses, text, apart), missing, later)

    def _others(self, clauses: Clauses, text: Text, apart: Sequence[int]) -> Clause:
        """All that is found, but for some products; those that say the words of themselves first."""
        every = words.query(self._searcher, text.asked, text.least, text.ways)
        return arranging.but(clauses.scored(every), apart) if apart else clauses.scored(every)

    def _products(self, hits: list[tuple[Any, DocAddress]]) -> list[int]:
        ids = self._searcher.fast_field_values("product_id", [address for _, address in hits])
        return [int(product or 0) for product in ids]

    def _order(self, text: Text, best: list[tuple[Any, DocAddress]], among: bytes) -> list[int]:
        """The places of these products, the best first: as the judge says, and the operators' boosts."""
        assert self._judge
        assert self._pages
        scores = self._judge.scores(self._searcher, self._pages, text.asked, best, among)
        if boosts := self._judge.ruling.boosts_of(rules.key(word.stem for word in text.asked)):
            scores = scores + arranging.gains(self._searcher, boosts, best).sum(0)
        order: list[int] = np.argsort(-scores, kind="stable").tolist()
        if self._sold_out == "last":
            held = self._searcher.fast_field_values("in_stock", [address for _, address in best])
            order.sort(key=lambda place: not held[place])
        return order

    def _candidates(self, clauses: Clauses, text: Text, total: int) -> list[tuple[Any, DocAddress]]:
        """Those whom the judge is asked about, of so many: all, or those that say the words of themselves."""
        if total <= CANDIDATES:
            field, order = _OF_ALL
            return self._searcher.search(
                clauses.without(), CANDIDATES, count=False, order_by_field=field, order=order
            ).hits
        saying = words.saying(self._searcher, text.asked, text.least, text.ways)
        best = self._scored(clauses.scored(saying), CANDIDATES, 0)
        if len(best) == CANDIDATES:
            return best
        every = words.query(self._searcher, text.asked, text.least, text.ways)
        return self._scored(clauses.scored(every), CANDIDATES, 0)

    def _scored(self, asked: Clause, limit: int, skipped: int) -> list[tuple[Any, DocAddress]]:
        """By the engine's score; where it ties, the better rating."""
        return self._searcher.search(asked, limit, count=False, offset=skipped, weight_by_field="prior").hits

    def explain(self, q: str, limit: int) -> Explained:
        """Why the first products of a question are the first."""
        said, hits = self.candidates(q)
        if not (said and hits and self._judge and self._pages):
            return Explained([word.written for word in said], [], 0, [])
        question = self._judge.question(self._searcher, said)
        why = self._reasons(said, hits, limit)
        ways = [" ".join(way) for way in question.ways]
        return Explained([word.written for word in said], ways, len(hits), why)

    def _reasons(self, said: list[Word], hits: list[tuple[Any, DocAddress]], limit: int) -> list[Why]:
        assert self._judge
        assert self._pages
        key = rules.key(word.stem for word in said)
        pins, boosts = self._pins(said), self._judge.ruling.boosts_of(key)
        gains = arranging.gains(self._searcher, boosts, hits)
        reasons: list[tuple[int, Why]] = []
        judged = self._judge.explained(self._searcher, self._pages, said, hits)
        for place, score, prior, learnt, numbers in judged:
            engine, bonus = numbers["bm_one"] or 0.0, score - learnt - sum(prior.values())
            by = [boost.rule_id for boost, gain in zip(boosts, gains[:, place], strict=True) if gain]
            boosted = float(gains[:, place].sum())
            why = Why(ProductId(0), "", score + boosted, engine, bonus, prior, learnt, numbers, boosted)
            reasons.append((place, msgspec.structs.replace(why, rules=by)))
        reasons.sort(key=lambda each: -each[1].score)
        for_sale, last = words.term("for_sale", True), self._sold_out == "last"
        there = arranging.pinned(self._searcher, for_sale, pins, in_stock=last) if pins else []
        ids = {pin.product_id for pin, _ in there}
        named = [self._named(why, hits[place][1]) for place, why in reasons[: limit + len(ids)]]
        known = {why.product_id: why for why in named}
        put: list[tuple[int, Why]] = []
        for pin, (_, address) in there:
            why = known.get(pin.product_id) or self._named(_UNJUDGED, address)
            why = msgspec.structs.replace(why, pinned=pin.place, rules=[*why.rules, pin.rule_id])
            put.append((pin.place, why))
        rest = [why for why in named if why.product_id not in ids]
        return rules.placed(
            put, len(rest) + len(put), 0, limit, lambda count, first: rest[first : first + count]
        )

    def _named(self, why: Why, address: DocAddress) -> Why:
        card = wire.decode(bytes(self._card(address)), Card)
        return msgspec.structs.replace(why, product_id=card.product_id, title=card.title)

    def candidates(self, q: str) -> tuple[list[Word], list[tuple[Any, DocAddress]]]:
        """What the judge is asked about, for learning."""
        said = words.read(q)
        if not said:
            return [], []
        text = self._widened(said, self._text(said, ways=self._ways(said, near=False)))
        clauses = self._clauses(Query(q=q), text.matching)
        return said, self._candidates(clauses, text, self._count(text.matching))

    def _sorted(
        self, asked: Clause, by_key: tuple[str, Order], limit: int, skipped: int, cursor: Cursor | None
    ) -> tuple[list[tuple[Any, DocAddress]], bool]:
        """A page by a key, and whether there is more."""
        field, order = by_key
        after = (cursor.key, cursor.seen) if cursor else None
        hits = self._searcher.search(
            asked, limit + 1, count=False, order_by_field=field, order=order, offset=skipped, after=after
        ).hits
        return hits[:limit], len(hits) > limit

    def _after(
        self, sort: Sort, page: int, hits: list[tuple[Any, DocAddress]], cursor: Cursor | None
    ) -> Cursor:
        key = hits[-1][0]
        seen = self._searcher.fast_field_values(
            "product_id", [address for each, address in hits if each == key]
        )
        before = cursor.seen if cursor and cursor.key == key else []
        return Cursor(sort, page + 1, key, before + [int(product or 0) for product in seen])

    def _clauses(self, query: Query, text: Clause | None) -> Clauses:
        always: list[Clause] = []
        if query.in_stock is not None:
            always.append(words.term("in_stock", query.in_stock))
        elif self._sold_out == "hidden":
            always.append(words.term("in_stock", True))
        if query.seller_id is not None:
            always.append(words.term("seller_id", int(query.seller_id)))
        chosen: dict[str, Clause] = {}
        if query.brand:
            chosen["brands"] = words.some([words.term("brand", brand) for brand in query.brand])
        if query.category:
            chosen["categories"] = words.some([words.term("category", slug) for slug in query.category])
        if query.price_min is not None or query.price_max is not None:
            chosen["price_ranges"] = _prices(query.price_min, query.price_max)
        if query.rating_min is not None:
            chosen["ratings"] = Clause.range_query("rating", FieldType.Float, query.rating_min)
        for name, values in query.attributes.items():
            chosen[_trait(name)] = words.some(
                [words.term(traits.column(name), traits.shown(value)) for value in values]
            )
        filters = msgspec.structs.replace(query, q="", sort="relevance", page=1, limit=1, cursor=None)
        return Clauses(text, always, chosen, wire.encode(filters))

    def _remembered(self, clauses: Clauses, query: Query, text: Text | None) -> tuple[Facets, int]:
        """The counts; of many products they are good for a second, since counting takes a time that grows
        with them. The products themselves are always the newest."""
        said = text and (" ".join(word.written for word in text.asked), text.least, len(text.ways))
        key, now = (clauses.filters, said), time.monotonic()
        known = self._tallies.get(key)
        if known and now < known[0]:
            return known[1], known[2]
        facets, total = self._facets(clauses, query, text)
        if total >= MANY:
            if len(self._tallies) >= _TALLIES_MAX:
                self._tallies.clear()
            self._tallies[key] = (now + _TALLY_S, facets, total)
        return facets, total

    def _facets(self, clauses: Clauses, query: Query, text: Text | None) -> tuple[Facets, int]:
        """The counts, and how many products there are. With words or a category it is known beforehand which
        attributes are counted; then all is counted at once."""
        known = clauses.narrow() and (text is not None or bool(query.category))
        names = self._attributes(query, self._aisle(query, text)) if known else []
        free = {facet: by for facet, by in _COUNTED_BY.items() if facet not in clauses.chosen}
        at_once = {traits.column(name) for name in names if _trait(name) not in clauses.chosen}
        whole = self._tally(clauses, None, {"shelf", *free.values(), *at_once})
        held = {facet: whole[by] for facet, by in free.items()}
        for facet in _COUNTED_BY.keys() - free.keys():
            by = _COUNTED_BY[facet]
            held[facet] = self._tally(clauses, facet, {by})[by]
        dear, liked = [0] * (len(PRICE_BOUNDS) + 1), [0] * (len(STARS) + 1)
        for shelf, count in held["price_ranges"].items():
            dear[int(shelf[0])] += count
        for shelf, count in held["ratings"].items():
            liked[int(shelf[1])] += count
        total, categories = sum(whole["shelf"].values()), _counts(held["categories"])
        if clauses.narrow() and not known:
            names = self._attributes(query, self._lying_in(categories, total))
            at_once = {traits.column(name) for name in names if _trait(name) not in clauses.chosen}
            whole |= self._tally(clauses, None, at_once) if at_once else {}
        facets = Facets(
            brands=_counts(held["brands"]),
            price_ranges=[
                Count(f"{low}-{high or ''}", count)
                for (low, high), count in zip(pairwise((0, *PRICE_BOUNDS, None)), dear, strict=True)
            ],
            categories=categories,
            ratings=[StarCount(star, sum(liked[star:])) for star in STARS],
            attributes=self._traits(clauses, query, names, whole),
        )
        return facets, total

    def _tally(self, clauses: Clauses, but: str | None, fields: set[str]) -> dict[str, dict[str, int]]:
        """How many of the products found, one filter left out, have each word of these fields."""
        asked = {field: _TALLIES.get(field) or offering.counted(field) for field in sorted(fields)}
        answer = self._aggregate(clauses.without(but), asked, clauses.narrow(but))
        read = {"aisle": by_category}
        return {field: read.get(field, by_word)(answer[field]["buckets"]) for field in fields}

    def _traits(
        self, clauses: Clauses, query: Query, names: list[str], whole: dict[str, dict[str, int]]
    ) -> list[Trait]:
        listed: list[Trait] = []
        for name in names:
            column = traits.column(name)
            held = whole[column] if column in whole else self._tally(clauses, _trait(name), {column})[column]
            listed.append(Trait(name, _counts(held)[: offering.VALUES_MAX]))
        return [each for each in listed if len(each.values) > 1 or each.name in query.attributes]

    def _attributes(self, query: Query, slug: str | None) -> list[str]:
        """Those that narrow the products, and those of the category that they lie in."""
        names = list(query.attributes)
        if slug is not None:
            within = [words.term("category", slug), words.term("for_sale", True)]
            sampled = words.every([*within, words.term(traits.SAMPLE, True)])
            size = self._sizes().get(slug, 0)
            names += self._offering.offered(self._searcher, slug, size, words.every(within), sampled)
        return list(dict.fromkeys(names))

    def _sizes(self) -> dict[str, int]:
        return self._offering.sizes(self.category_counts)

    def _lying_in(self, categories: list[Count], total: int) -> str | None:
        return offering.aisle({each.value: each.count for each in categories}, total, self._sizes())

    def _aisle(self, query: Query, text: Text | None) -> str | None:
        """The category that the products lie in; with words, the one of the best of them: most products that
        say "webcam" are laptops."""
        if query.category or text is None:
            return query.category[0] if len(query.category) == 1 else None

        def look() -> str | None:
            said = words.query(self._searcher, text.asked, text.least, text.ways)
            best = self._scored(said, offering.BEST, 0)
            those = Clause.term_set_query("product_id", self._products(best))
            counted = self._searcher.aggregate(those, {"aisle": _TALLIES["aisle"]})
            return offering.aisle(by_category(counted["aisle"]["buckets"]), len(best), self._sizes())

        return self._offering.aisle_of(query.q, look)

    def _aggregate(self, asked: Clause, counts: dict[str, Any], narrow: bool) -> dict[str, Any]:
        """The answer to `counts`; remembered where it is about all products: any list of a category asks."""
        if narrow:
            return self._searcher.aggregate(asked, counts)
        missing = {name: how for name, how in counts.items() if name not in self._counted}
        if missing:
            self._counted.update(self._searcher.aggregate(asked, missing))
        return {name: self._counted[name] for name in counts}

    def _count(self, asked: Clause) -> int:
        return self._searcher.count(asked)

    def _card(self, address: DocAddress) -> Raw:
        return Raw(self._searcher.cards([address])[0])

    def _cards(self, hits: list[tuple[Any, DocAddress]]) -> list[Raw]:
        return [Raw(card) for card in self._searcher.cards([address for _, address in hits])]

    def category_counts(self) -> dict[str, int]:
        """How many products are in each category that has some, descendants' included."""
        size = {"field": "aisle", "size": DEPARTMENTS_MAX, "segment_size": DEPARTMENTS_MAX}
        every = words.term("in_stock" if self._sold_out == "hidden" else "for_sale", True)
        answer = self._aggregate(every, {"every_category": {"terms": size}}, narrow=False)
        return by_category(answer["every_category"]["buckets"])

    def _relaxed(self, query: Query, asked: list[Word]) -> Found | None:
        """For words that nothing has together: spelling mended, then what the nearest product has of them."""
        kept, dropped = self._spelt(asked)
        known = [word for word in kept if word in asked]
        if 0 < len(known) < len(kept) and not self._count(words.matching(self._searcher, kept)):
            kept, dropped = known, [word.written for word in asked if word not in known]
        if kept and not self._count(words.matching(self._searcher, kept)):
            shared = self._most(kept)
            dropped += [word.written for word in kept if word not in shared]
            kept = shared
        if not kept:
            return None
        found = self._page(query, self._text(kept))
        said = " ".join(word.written for word in kept)
        mended = any(word not in asked for word in kept)
        return msgspec.structs.replace(
            found, relaxed=Relaxed(said, dropped), did_you_mean=said if mended else None
        )

    def _meant(self, asked: list[Word]) -> str | None:
        """The question with words mended that hardly any product has; codes of models are left alone."""
        said: list[str] = []
        for word in asked:
            held = max(
                self._searcher.doc_freq("words", word.written),
                self._searcher.doc_freq("said", word.stem),
            )
            if 0 < held <= RARE_MAX and len(word.written) >= MENDED_LETTERS and word.written.isalpha():
                mended = self._mended(word.written)
                often = self._searcher.doc_freq("words", mended.written) if mended else 0
                said.append(mended.written if mended and often >= held * MORE_OFTEN else word.written)
            else:
                said.append(word.written)
        return " ".join(said) if any(word.written not in said for word in asked) else None

    def _spelt(self, asked: list[Word]) -> tuple[list[Word], list[str]]:
        """The words that some product has, unknown ones mended where that is possible, and what is left."""
        kept: list[Word] = []
        dropped: list[str] = []
        for word in asked:
            if self._count(words.matching(self._searcher, [word])):
                kept.append(word)
            elif (mended := self._mended(word.written)) is not None:
                kept.append(mended)
            else:
                dropped.append(word.written)
        return kept, dropped

    def _mended(self, written: str) -> Word | None:
        """The word of a title that is one letter away, two for a long one. A word that people use is none to
        mend: who asks a shop without any for lego does not mean legs."""
        if meaning.is_word(written):
            return None
        for distance in range(1, words.slips(written) + 1):
            near = Clause.fuzzy_term_query("words", written, distance)
            votes: dict[str, int] = {}
            hits = self._searcher.search(near, _SPELLINGS, count=False, order_by_field="by_rating").hits
            for shown in self._cards(hits):
                card = msgspec.json.decode(shown, type=_Named)
                for each in set(text_of.plain(f"{card.title} {card.brand or ''}")):
                    if words.apart(each, written) <= distance:
                        votes[each] = votes.get(each, 0) + 1
            if votes:
                best = max(votes, key=lambda each: (votes[each], each))
                return next(iter(words.read(best)), None)
        return None

    def _most(self, asked: list[Word]) -> list[Word]:
        """Those of the words that the best of the products with the most of them has."""
        for least in range(len(asked) - 1, 0, -1):
            hits = self._scored(words.query(self._searcher, asked, least), 1, 0)
            if hits:
                (product,) = self._searcher.fast_field_values("product_id", [hits[0][1]])
                itself = words.term("product_id", product)
                return [
                    word for word in asked if self._count(words.every([itself, words.anywhere(word.stem)]))
                ]
        return []

    def suggest(self, q: str, limit: int) -> Suggestions:
        typed = words.clean(q)[:_TYPED_MAX].lstrip().lower()
        *before, last = text_of.plain(typed) or [""]
        if not last:
            return Suggestions([], [], [], [])
        said = [words.term("words", word) for word in before]
        whole = " ".join(before)
        completions: list[tuple[str, int]] = []
        for some in self._parts(said) if said else [said]:
            completions = self._searcher.terms_with_prefix(
                "words", last, words.every(some) if some else None, limit
            )
            if len(completions) >= limit:
                break
        return Suggestions(
            words=[f"{whole} {word}".lstrip() for word, _ in completions],
            products=self._starting(said, last, limit),
            categories=[Department(*known) for known in self._known("c", typed, limit)],
            brands=[brand for (brand,) in self._known("b", typed, limit)],
        )

    def _starting(self, said: list[Clause], last: str, limit: int) -> list[Raw]:
        """Products with these words and one that begins so, or nearly so."""
        for distance in range(words.slips(last) + 1):
            begun = Clause.fuzzy_term_query("words", last, distance, prefix=True)
            hits: list[tuple[Any, DocAddress]] = []
            for some in self._parts(said):
                hits = self._searcher.search(
                    words.every([*some, begun]), limit, count=False, order_by_field="by_rating"
                ).hits
                if len(hits) >= limit:
                    break
            if hits:
                return self._cards(hits)
        return []

    def _parts(self, said: list[Clause]) -> list[list[Clause]]:
        """Where to look for suggestions: in a large shop first in a sample, which is enough wherever there is
        much to suggest; so a letter costs as much in any shop."""
        sampled = (
            [[*said, words.term(traits.SAMPLE, True)]] if self._searcher.num_docs > _SAMPLED_ABOVE else []
        )
        return [*sampled, said]

    def _known(self, kind: str, typed: str, limit: int) -> list[list[str]]:
        """Brands or categories that begin so, the largest first."""
        terms = self._searcher.terms_with_prefix("completions", f"{kind}{SPLIT}{typed}", limit=limit * 2)
        known = [term.split(SPLIT)[2:] for term, _ in terms]
        return [each for place, each in enumerate(known) if each not in known[:place]][:limit]


def _trait(name: str) -> str:
    """How the filter by an attribute is called among those of the facets."""
    return f"{traits.FIELD}.{name}"


_UNJUDGED = Why(ProductId(0), "", 0, 0, 0, {}, 0, {})
"""A product that is there because it was put there."""


class _Named(msgspec.Struct):
    title: str
    brand: str | None = None


def _counts(held: dict[str, int]) -> list[Count]:
    """The largest first."""
    counts = [Count(word, count) for word, count in held.items() if word != NOBODY]
    return sorted(counts, key=lambda each: (-each.count, each.value))[:FACET_MAX]


def _prices(low: int | None, high: int | None) -> Clause:
    low = 0 if low is None else min(max(low, 0), money.MINOR_MAX)
    high = money.MINOR_MAX if high is None else min(high, money.MINOR_MAX)
    if high < low:
        return Clause.empty_query()
    return Clause.range_query("price", FieldType.Unsigned, low, high)
