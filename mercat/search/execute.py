"""The execution of a query on one state of the index: match, relax, count, rank, page."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from mercat.ids import ProductId, RuleId
from mercat.kit import codec
from mercat.kit.refusals import Invalid
from mercat.search.engine import (
    After,
    Clause,
    Hit,
    IndexSearcher,
    ProductRowReader,
    SortKey,
    product_ids,
    raw_cards,
    search_by_score,
)
from mercat.search.facets.choose import FacetChooser
from mercat.search.facets.count import FacetCache, FacetCounter
from mercat.search.merchandising.apply import (
    boost_gains,
    chosen_gains,
    hits_within,
    pinnable,
    pinned_hits,
    without_products,
)
from mercat.search.merchandising.rules import Pin, page_with_pins
from mercat.search.messages import (
    PAGE_MAX,
    PAGE_SIZE_MAX,
    Explanation,
    ProductCard,
    RankingReasons,
    RelaxedQuery,
    SearchQuery,
    SearchResults,
    SearchSort,
    SoldOutPolicy,
    Suggestions,
)
from mercat.search.query import spelling, suggestions
from mercat.search.query.codes import NamedCodes, named_codes
from mercat.search.query.filters import QueryClauses, SearchCursor, checksum, decode_cursor, query_clauses
from mercat.search.query.mentions import NamedOften, without_mentions
from mercat.search.query.parse import (
    NO_TEXT,
    QueryWord,
    TextQuery,
    clean,
    in_main_text,
    parse,
    scored_text,
    text_query,
    with_codes,
    written,
)
from mercat.search.ranking.features import CANDIDATES
from mercat.search.ranking.rerank import Reranker, ScoredCandidate

_FEW_MAX, _FEW_OF = 10, 1_000
_BY_RATING, _BY_STANDING = SortKey("by_rating"), SortKey("by_standing")
_SORT_KEYS: dict[SearchSort, SortKey] = {
    "price_asc": SortKey("by_price", descending=False),
    "price_desc": SortKey("by_price"),
    "rating": _BY_RATING,
    "newest": SortKey("by_age"),
}


class RankedQuery(NamedTuple):
    """A text query with what ranking needs of it."""

    text: TextQuery
    pins: list[Pin]
    clauses: QueryClauses
    """Words and filters; pinned products match whether or not they have the words."""
    unpinned: QueryClauses
    """Words and filters alone."""
    total: int


class QueryExecutor:
    """Answers queries from one state of the index."""

    def __init__(
        self,
        searcher: IndexSearcher,
        memo: dict[str, Any] | None = None,
        reranker: Reranker | None = None,
        rows: ProductRowReader | None = None,
        sold_out: SoldOutPolicy = "among_others",
        facet_cache: FacetCache | None = None,
        currency: str = "USD",
    ) -> None:
        """`memo` holds what was counted of all products in this state of the index. Without a reranker and
        the rows it needs, the engine's scores decide. `currency`: what prices are in."""
        self._searcher = searcher
        self._reranker, self._rows = reranker, rows
        self._sold_out: SoldOutPolicy = sold_out
        self._named_often = reranker.named_often if reranker else NamedOften()
        self._learnt = True
        self._facets = FacetCounter(
            searcher,
            reranker.facet_chooser if reranker else FacetChooser(),
            sold_out,
            {} if memo is None else memo,
            FacetCache() if facet_cache is None else facet_cache,
            rows,
            currency,
        )

    def find(self, query: SearchQuery) -> SearchResults:
        """Find a page of products. Refuses with `Invalid` a page that does not exist and a foreign cursor."""
        if not (1 <= query.page <= PAGE_MAX and 1 <= query.limit <= PAGE_SIZE_MAX):
            raise Invalid("Pages are counted from 1 to 1,000, of at most 100 products.", pointer="/page")
        self._learnt = query.learnt
        words = parse(query.q)
        if not words:
            return self._page(query, None if not query.q.strip() else NO_TEXT)
        codes = named_codes(self._searcher, clean(query.q))
        text, results = self._find_words(query, words, codes)
        if not results.total and not self._searcher.count(text.matching):
            return self._relaxed(query, words) or results
        if codes:
            return results
        suggested = spelling.did_you_mean(self._searcher, words)
        return msgspec.structs.replace(results, all_words=text.all_words, did_you_mean=suggested)

    def suggest(self, q: str, limit: int) -> Suggestions:
        """Suggest what the first letters of a query may become."""
        return suggestions.suggest(self._searcher, q, limit)

    def category_counts(self) -> dict[str, int]:
        """Count the products of each category that has some, descendants' included."""
        return self._facets.category_counts()

    def explain(self, q: str, limit: int) -> Explanation:
        """Explain why the first products of a query come first."""
        words, hits = self.candidates(q)
        if not (words and hits and self._reranker and self._rows):
            return Explanation([word.written for word in words], [], 0, [])
        rewritings = self._reranker.ranking_query(self._searcher, words).rewritings
        scored = list(self._reranker.explain(self._searcher, self._rows, words, hits))
        return Explanation(
            [word.written for word in words],
            [" ".join(rewriting) for rewriting in rewritings],
            len(hits),
            self._reasons(words, hits, scored, limit),
        )

    def candidates(self, q: str) -> tuple[list[QueryWord], list[Hit]]:
        """Find what the reranker is asked about, to explain it and to train it."""
        words = parse(q)
        if not words:
            return [], []
        text = self._text(words)
        if codes := named_codes(self._searcher, clean(q)):
            text = with_codes(text, codes)
        else:
            text = self._widened(words, text)
        clauses = self._clauses(SearchQuery(q=q), text)
        return words, self._candidates(clauses, text, self._searcher.count(text.matching))

    # -- the words

    def _find_words(
        self, query: SearchQuery, words: list[QueryWord], codes: NamedCodes | None = None
    ) -> tuple[TextQuery, SearchResults]:
        """Find what has the words, or the codes; where that is little for this shop, what has most of the
        words."""
        text = self._text(words)
        if codes:
            text = with_codes(text, codes)
            return text, self._page(query, text)
        results = self._page(query, text)
        if results.total < self._few():  # else there is no need to count without the filters
            wide = self._widened(words, text)
            if wide is not text:
                text, results = wide, self._page(query, wide)
        return text, results

    def _text(self, words: list[QueryWord]) -> TextQuery:
        """Look for all the words, or for what synonyms make of them, where that is more than mentioned."""
        text = text_query(self._searcher, words, None, self._rewritings(words))
        return without_mentions(self._searcher, text, self._few(), self._named_often)

    def _few(self) -> int:
        """Return how many products are few for a shop of this size."""
        return max(min(_FEW_MAX, self._searcher.num_docs // _FEW_OF), 1)

    def _rewritings(self, words: list[QueryWord], *, related: bool = False) -> list[list[str]]:
        """Rewrite a query by equivalent synonyms, or also by related ones."""
        if self._reranker is None:
            return []
        rewritings = self._reranker.synonyms().rewritings([word.stem for word in words])
        return [list(each) for each, equivalent in rewritings.items() if equivalent or related]

    def _widened(self, words: list[QueryWord], text: TextQuery) -> TextQuery:
        """Widen a query that few products for a shop of this size match: by related synonyms, then to most of
        the words."""
        few, whole = self._few(), self._searcher.count(text.matching)
        if whole >= few:
            return text
        rewritings = self._rewritings(words, related=True)
        if len(rewritings) > len(self._rewritings(words)):
            text = text_query(self._searcher, words, None, rewritings)
            if self._searcher.count(text.matching) >= few:
                return text._replace(all_words=whole)
        if not whole:
            return text
        for minimum in range(len(words) - 1, 0, -1):
            wide = text_query(self._searcher, words, minimum, rewritings)._replace(all_words=whole)
            if minimum == 1 or self._searcher.count(wide.matching) >= few:
                return wide
        return text

    def _relaxed(self, query: SearchQuery, words: list[QueryWord]) -> SearchResults | None:
        """Find something for words that no product has together: spelling corrected, then what the nearest
        product has of them."""
        kept, dropped = spelling.correct_unknown(self._searcher, words)
        known = [word for word in kept if word in words]
        if 0 < len(known) < len(kept) and not self._any_has(kept):
            kept, dropped = known, [word.written for word in words if word not in known]
        if kept and not self._any_has(kept):
            shared = spelling.words_of_best_match(self._searcher, kept)
            dropped += [word.written for word in kept if word not in shared]
            kept = shared
        if not kept:
            return None
        _, results = self._find_words(query, kept)
        q = written(kept)
        corrected = any(word not in words for word in kept)
        return msgspec.structs.replace(
            results, relaxed=RelaxedQuery(q, dropped), did_you_mean=q if corrected else None
        )

    def _any_has(self, words: list[QueryWord]) -> bool:
        return bool(self._searcher.count(text_query(self._searcher, words).matching))

    # -- a page

    def _page(self, query: SearchQuery, text: TextQuery | None) -> SearchResults:
        unpinned = self._clauses(query, text)
        clauses, pins = unpinned, self._pins(text.words) if text else []
        if pins and text:
            placed = Clause.constant_score(pinnable(pins, in_stock=self._sold_out == "last"), 0.0)
            clauses = unpinned._replace(text=Clause.any_of([text.matching, placed]))
        facets, total = self._facets.counts(clauses, query, text)
        cursor = decode_cursor(query.cursor, query) if query.cursor else None
        sort = _SORT_KEYS.get(query.sort)
        if text is not None and sort is None:
            hits, after = self._page_by_relevance(
                RankedQuery(text, pins, clauses, unpinned, total), query, cursor
            )
        else:  # without words all products are as relevant: the surely better rated come first
            hits, after = self._page_by_key(clauses.combined(), sort or _BY_STANDING, query, cursor)
        return SearchResults(
            results=raw_cards(self._searcher, hits),
            total=total,
            page=cursor.page if cursor else query.page,
            total_pages=-(-total // query.limit),
            facets=facets,
            next_cursor=after.encoded() if after else None,
        )

    def _clauses(self, query: SearchQuery, text: TextQuery | None) -> QueryClauses:
        return query_clauses(query, text.matching if text else None, self._sold_out, self._facets.numbers)

    def _page_by_key(
        self, clause: Clause, sort: SortKey, query: SearchQuery, cursor: SearchCursor | None
    ) -> tuple[list[Hit], SearchCursor | None]:
        """Return a page by a sort key, and the cursor to the next one."""
        hits = self._searcher.search(
            clause,
            query.limit + 1,
            sort=sort,
            offset=0 if cursor else (query.page - 1) * query.limit,
            after=After(cursor.key, cursor.seen) if cursor else None,
        )
        if len(hits) <= query.limit:
            return hits, None
        hits = hits[: query.limit]
        key = hits[-1][0]
        seen = product_ids(self._searcher, [hit for hit in hits if hit[0] == key])
        before = cursor.seen if cursor and cursor.key == key else []
        page = cursor.page if cursor else query.page
        return hits, SearchCursor(query.sort, page + 1, key, before + seen, checksum(query))

    def _page_by_relevance(
        self, ranked: RankedQuery, query: SearchQuery, cursor: SearchCursor | None
    ) -> tuple[list[Hit], SearchCursor | None]:
        """Return a page by relevance, pinned products at their places, and the cursor to the next one."""
        offset = cursor.key if cursor else (query.page - 1) * query.limit
        hits = self._with_pins(ranked, query.limit, offset) if offset < ranked.total else []
        if offset + len(hits) >= ranked.total:
            return hits, None
        page = cursor.page if cursor else query.page
        return hits, SearchCursor(query.sort, page + 1, offset + len(hits), asked=checksum(query))

    # -- relevance

    def _pins(self, words: list[QueryWord]) -> list[Pin]:
        return self._reranker.rules.pins_of(words) if self._reranker and words else []

    def _with_pins(self, ranked: RankedQuery, limit: int, offset: int) -> list[Hit]:
        if not ranked.pins:
            return self._best(ranked, limit, offset)
        pinned = pinned_hits(
            self._searcher, ranked.clauses.combined(), ranked.pins, in_stock=self._sold_out == "last"
        )
        apart = [int(pin.product_id) for pin, _ in pinned]
        return page_with_pins(
            [(pin.place, hit) for pin, hit in pinned],
            ranked.total,
            offset,
            limit,
            lambda count, first: self._best(ranked, count, first, apart),
        )

    def _best(self, ranked: RankedQuery, limit: int, offset: int, apart: Sequence[int] = ()) -> list[Hit]:
        """Return a page by relevance: the reranked candidates, then the others by score. Products in `apart`
        are reranked with the others, which are compared with each other, and left out."""
        clauses, text = ranked.unpinned, ranked.text
        if not (text.words and self._reranker and self._rows):
            return search_by_score(self._searcher, self._others(clauses, text, apart), limit, offset)
        candidates = self._candidates(clauses, text, ranked.total)
        ids = product_ids(self._searcher, candidates) if apart else []
        shown = len(candidates) - len(set(apart) & set(ids))
        hits: list[Hit] = []
        if offset < shown:
            order = self._order(text, candidates, clauses.cache_key)
            if apart:
                order = [place for place in order if ids[place] not in apart]
            hits = [candidates[place] for place in order[offset : offset + limit]]
        if len(hits) == limit or len(candidates) < CANDIDATES:
            return hits
        taken = [*apart, *(ids or product_ids(self._searcher, candidates))]
        rest = self._others(clauses, text, taken)
        return hits + search_by_score(self._searcher, rest, limit - len(hits), max(offset - shown, 0))

    def _others(self, clauses: QueryClauses, text: TextQuery, taken: Sequence[int]) -> Clause:
        """Match all that is found but these products, by score."""
        every = clauses.scored_by(scored_text(self._searcher, text))
        return without_products(every, taken) if taken else every

    def _candidates(self, clauses: QueryClauses, text: TextQuery, total: int) -> list[Hit]:
        """Find the products to rerank, of so many: all, or the best of those that have the words in their
        main text; where these are too few, the best of all."""
        if total <= CANDIDATES:
            return self._searcher.search(clauses.combined(), CANDIDATES, sort=_BY_RATING)
        in_text = clauses.scored_by(in_main_text(self._searcher, text))
        best = search_by_score(self._searcher, in_text, CANDIDATES)
        if len(best) == CANDIDATES:
            return best
        every = clauses.scored_by(scored_text(self._searcher, text))
        return search_by_score(self._searcher, every, CANDIDATES)

    def _order(self, text: TextQuery, candidates: list[Hit], filters: bytes) -> list[int]:
        """Return the places of the candidates, the best first: by score and boosts."""
        assert self._reranker
        assert self._rows
        scores = self._reranker.scores(
            self._searcher, self._rows, text.words, candidates, filters, learnt=self._learnt
        )
        if boosts := self._reranker.rules.boosts_of(text.words):
            scores = scores + boost_gains(self._searcher, boosts, candidates).sum(0)
        if self._learnt and (gains := self._reranker.rules.gains_of(text.words)):
            scores = scores + chosen_gains(self._searcher, gains, candidates)
        order: list[int] = np.argsort(-scores, kind="stable").tolist()
        if self._sold_out == "last":
            in_stock = self._searcher.field_values("in_stock", candidates)
            order.sort(key=lambda place: not in_stock[place])
        if text.codes and text.codes.first:
            named = hits_within(self._searcher, text.codes.clause, candidates)
            order.sort(key=lambda place: place not in named)
        return order

    # -- the explanation

    def _reasons(
        self, words: list[QueryWord], hits: list[Hit], scored: list[ScoredCandidate], limit: int
    ) -> list[RankingReasons]:
        """Explain the first products: by score with boosts, pinned ones at their places."""
        assert self._reranker
        boosts, pins = self._reranker.rules.boosts_of(words), self._pins(words)
        gains = boost_gains(self._searcher, boosts, hits)
        chosen = chosen_gains(self._searcher, self._reranker.rules.gains_of(words), hits)
        reasons: list[tuple[int, RankingReasons]] = []
        for each in scored:
            boosted = gains[:, each.place]
            rules = [boost.rule_id for boost, gain in zip(boosts, boosted, strict=True) if gain]
            added = _Added(float(boosted.sum()), float(chosen[each.place]))
            reasons.append((each.place, _reasons_of(each, added, rules)))
        reasons.sort(key=lambda each: -each[1].score)
        for_sale, last = Clause.term("for_sale", True), self._sold_out == "last"
        pinned = pinned_hits(self._searcher, for_sale, pins, in_stock=last) if pins else []
        pinned_ids = {pin.product_id for pin, _ in pinned}
        named = [self._named(each, hits[place]) for place, each in reasons[: limit + len(pinned_ids)]]
        by_product = {each.product_id: each for each in named}
        placed: list[tuple[int, RankingReasons]] = []
        for pin, hit in pinned:
            each = by_product.get(pin.product_id) or self._named(_NOT_RANKED, hit)
            each = msgspec.structs.replace(each, pinned=pin.place, rules=[*each.rules, pin.rule_id])
            placed.append((pin.place, each))
        rest = [each for each in named if each.product_id not in pinned_ids]
        return page_with_pins(
            placed, len(rest) + len(placed), 0, limit, lambda count, first: rest[first : first + count]
        )

    def _named(self, reasons: RankingReasons, hit: Hit) -> RankingReasons:
        card = codec.decode(self._searcher.cards([hit])[0], ProductCard)
        return msgspec.structs.replace(reasons, product_id=card.product_id, title=card.title)


_NOT_RANKED = RankingReasons(ProductId(0), "", 0, 0, 0, {}, 0, {})
"""Of a product that is there because it is pinned."""


class _Added(NamedTuple):
    """What is added to a score by boosts, and by what shoppers chose."""

    boosted: float
    chosen: float


def _reasons_of(scored: ScoredCandidate, added: _Added, rules: list[RuleId]) -> RankingReasons:
    return RankingReasons(
        product_id=ProductId(0),
        title="",
        score=scored.score + added.boosted + added.chosen,
        engine=scored.features["bm_one"] or 0.0,
        bonus=scored.score - scored.learnt - sum(scored.prior.values()),
        prior=scored.prior,
        learnt=scored.learnt,
        numbers=scored.features,
        boosted=added.boosted,
        chosen=added.chosen,
        rules=rules,
    )
