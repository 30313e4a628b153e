"""Finding: a query answered from one state of the index."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from mercat.ids import ProductId
from mercat.kit import codec
from mercat.kit.refusals import Invalid
from mercat.search.engine import DocAddress, Order, Pages, Searcher
from mercat.search.engine import Query as Clause
from mercat.search.facets.choose import Offering
from mercat.search.facets.count import TALLIES_MAX, Counting, Tallies
from mercat.search.hits import Hit, cards, products, scored
from mercat.search.merchandising import apply as arranging
from mercat.search.merchandising import rules
from mercat.search.merchandising.rules import Pin
from mercat.search.messages import (
    LIMIT_MAX,
    PAGE_MAX,
    Card,
    Explained,
    Found,
    Query,
    Relaxed,
    SoldOut,
    Sort,
    Suggestions,
    Why,
)
from mercat.search.query import parse as words
from mercat.search.query import spelling
from mercat.search.query import suggestions as suggesting
from mercat.search.query.filters import NO_TEXT, Clauses, Cursor, Text, clauses_of, cursor_of
from mercat.search.query.parse import Word
from mercat.search.ranking.features import CANDIDATES
from mercat.search.ranking.rerank import Judge

FEW_MAX = 10
_KEYS: dict[Sort, tuple[str, Order]] = {
    "price_asc": ("by_price", Order.Asc),
    "price_desc": ("by_price", Order.Desc),
    "rating": ("by_rating", Order.Desc),
    "newest": ("by_age", Order.Desc),
}
_OF_ALL = ("by_rating", Order.Desc)
"""With no words every product is as relevant: the better rating comes first."""


class Finding:
    def __init__(
        self,
        searcher: Searcher,
        counted: dict[str, Any] | None = None,
        judge: Judge | None = None,
        pages: Pages | None = None,
        sold_out: SoldOut = "among_others",
        tallies: Tallies | None = None,
    ) -> None:
        """`counted` remembers what was counted of all products in this state of the index. Without a judge
        and the facts it goes by, the engine's scores decide."""
        self._searcher = searcher
        self._judge, self._pages = judge, pages
        self._sold_out: SoldOut = sold_out
        self._counting = Counting(
            searcher,
            judge.offering if judge else Offering(),
            sold_out,
            {} if counted is None else counted,
            Tallies(TALLIES_MAX) if tallies is None else tallies,
            pages,
        )

    def find(self, query: Query) -> Found:
        if not (1 <= query.page <= PAGE_MAX and 1 <= query.limit <= LIMIT_MAX):
            raise Invalid("Pages are counted from 1 to 1,000, of at most 100 products.", pointer="/page")
        asked = words.read(query.q)
        if not asked:
            return self._page(query, None if not query.q.strip() else NO_TEXT)
        text, found = self._answer(query, asked)
        if not found.total and not self._count(text.matching):
            return self._relaxed(query, asked) or found
        meant = spelling.meant(self._searcher, asked)
        return msgspec.structs.replace(found, all_words=text.all_words, did_you_mean=meant)

    def _answer(self, query: Query, asked: list[Word]) -> tuple[Text, Found]:
        """What has the words, or where that is little for this shop, what has most of them."""
        text = self._text(asked, ways=self._ways(asked, near=False))
        found = self._page(query, text)
        if found.total < self._few():  # else it was not needed to count without the filters
            wide = self._widened(asked, text)
            if wide is not text:
                text, found = wide, self._page(query, wide)
        return text, found

    def suggest(self, q: str, limit: int) -> Suggestions:
        return suggesting.suggest(self._searcher, q, limit)

    def category_counts(self) -> dict[str, int]:
        """How many products are in each category that has some, descendants' included."""
        return self._counting.category_counts()

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
        clauses = by_words = clauses_of(query, text.matching if text else None, self._sold_out)
        if pins and text is not None:
            put = arranging.placeable(pins, in_stock=self._sold_out == "last")
            clauses = clauses_of(
                query, words.some([text.matching, Clause.const_score_query(put, 0.0)]), self._sold_out
            )
        facets, total = self._counting.counts(clauses, query, text)
        by_key = _KEYS.get(query.sort) or (None if text is not None else _OF_ALL)
        cursor = cursor_of(query.cursor, query.sort) if query.cursor else None
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
            results=cards(self._searcher, hits),
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
    ) -> list[Hit]:
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
    ) -> list[Hit]:
        """A page by relevance: the judge's order of the engine's best, then the others by score. Products in
        `apart` are judged with the others, which are compared with each other, and left out."""
        if not (text.asked and self._judge and self._pages):
            return scored(self._searcher, self._others(clauses, text, apart), limit, skipped)
        best = self._candidates(clauses, text, total)
        judged = products(self._searcher, best) if apart else []
        there = len(best) - len(set(apart) & set(judged))
        hits: list[Hit] = []
        if skipped < there:
            order = self._order(text, best, clauses.filters)
            if apart:
                order = [place for place in order if judged[place] not in apart]
            hits = [best[place] for place in order[skipped : skipped + limit]]
        if len(hits) == limit or len(best) < CANDIDATES:
            return hits
        missing, later = limit - len(hits), max(skipped - there, 0)
        apart = [*apart, *(judged or products(self._searcher, best))]
        return hits + scored(self._searcher, self._others(clauses, text, apart), missing, later)

    def _others(self, clauses: Clauses, text: Text, apart: Sequence[int]) -> Clause:
        """All that is found, but for some products; those that say the words of themselves first."""
        every = words.query(self._searcher, text.asked, text.least, text.ways)
        return arranging.but(clauses.scored(every), apart) if apart else clauses.scored(every)

    def _order(self, text: Text, best: list[Hit], among: bytes) -> list[int]:
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

    def _candidates(self, clauses: Clauses, text: Text, total: int) -> list[Hit]:
        """Those whom the judge is asked about, of so many: all, or those that say the words of themselves."""
        if total <= CANDIDATES:
            field, order = _OF_ALL
            return self._searcher.search(
                clauses.without(), CANDIDATES, count=False, order_by_field=field, order=order
            ).hits
        saying = words.saying(self._searcher, text.asked, text.least, text.ways)
        best = scored(self._searcher, clauses.scored(saying), CANDIDATES, 0)
        if len(best) == CANDIDATES:
            return best
        every = words.query(self._searcher, text.asked, text.least, text.ways)
        return scored(self._searcher, clauses.scored(every), CANDIDATES, 0)

    def explain(self, q: str, limit: int) -> Explained:
        """Why the first products of a question are the first."""
        said, hits = self.candidates(q)
        if not (said and hits and self._judge and self._pages):
            return Explained([word.written for word in said], [], 0, [])
        question = self._judge.question(self._searcher, said)
        why = self._reasons(said, hits, limit)
        ways = [" ".join(way) for way in question.ways]
        return Explained([word.written for word in said], ways, len(hits), why)

    def _reasons(self, said: list[Word], hits: list[Hit], limit: int) -> list[Why]:
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
        card = codec.decode(self._searcher.cards([address])[0], Card)
        return msgspec.structs.replace(why, product_id=card.product_id, title=card.title)

    def candidates(self, q: str) -> tuple[list[Word], list[Hit]]:
        """What the judge is asked about, for learning."""
        said = words.read(q)
        if not said:
            return [], []
        text = self._widened(said, self._text(said, ways=self._ways(said, near=False)))
        clauses = clauses_of(Query(q=q), text.matching, self._sold_out)
        return said, self._candidates(clauses, text, self._count(text.matching))

    def _sorted(
        self, asked: Clause, by_key: tuple[str, Order], limit: int, skipped: int, cursor: Cursor | None
    ) -> tuple[list[Hit], bool]:
        """A page by a key, and whether there is more."""
        field, order = by_key
        after = (cursor.key, cursor.seen) if cursor else None
        hits = self._searcher.search(
            asked, limit + 1, count=False, order_by_field=field, order=order, offset=skipped, after=after
        ).hits
        return hits[:limit], len(hits) > limit

    def _after(self, sort: Sort, page: int, hits: list[Hit], cursor: Cursor | None) -> Cursor:
        key = hits[-1][0]
        seen = self._searcher.fast_field_values(
            "product_id", [address for each, address in hits if each == key]
        )
        before = cursor.seen if cursor and cursor.key == key else []
        return Cursor(sort, page + 1, key, before + [int(product or 0) for product in seen])

    def _count(self, asked: Clause) -> int:
        return self._searcher.count(asked)

    def _relaxed(self, query: Query, asked: list[Word]) -> Found | None:
        """For words that nothing has together: spelling mended, then what the nearest product has of them."""
        kept, dropped = spelling.spelt(self._searcher, asked)
        known = [word for word in kept if word in asked]
        if 0 < len(known) < len(kept) and not self._count(words.matching(self._searcher, kept)):
            kept, dropped = known, [word.written for word in asked if word not in known]
        if kept and not self._count(words.matching(self._searcher, kept)):
            shared = spelling.most(self._searcher, kept)
            dropped += [word.written for word in kept if word not in shared]
            kept = shared
        if not kept:
            return None
        _, found = self._answer(query, kept)
        said = " ".join(word.written for word in kept)
        mended = any(word not in asked for word in kept)
        return msgspec.structs.replace(
            found, relaxed=Relaxed(said, dropped), did_you_mean=said if mended else None
        )


_UNJUDGED = Why(ProductId(0), "", 0, 0, 0, {}, 0, {})
"""A product that is there because it was put there."""
