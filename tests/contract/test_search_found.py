# ruff: noqa: RUF001  letters that look alike are what this is about
"""What is found: by codes, in any script, and not by what a text only mentions; the same in every sort."""

import unicodedata

import pytest
from search_products import batches, product

from mercat.search import Search, SearchQuery
from mercat.search.messages import SEARCH_SORTS

BEARS = [product(n, f"Teddy bear, 18 cm, number {n}", price=900 + n) for n in range(1, 6)]


@pytest.fixture
async def shop(tmp_path, where):
    search = Search(tmp_path / "index", store=where)
    await search.rebuild(batches())

    async def shop(*products):
        await search.index([*products])
        return search

    yield shop
    await search.close()


async def titles(search, q, **more):
    return [card.title for card in (await search.find(SearchQuery(q=q, **more))).cards()]


# -- codes

SHIRT = product(11, "Red tee", codes=["TEE-S-RED", "TEE-M-RED"], external_id="se-18")
TEES = [product(n, f"Tee for men, s, red, {n}") for n in range(20, 24)]


@pytest.mark.parametrize(
    "q", ["se-18", "SE-18", "se18", "Se 18", "TEE-S-RED", "tee-m-red", "buy TEE-S-RED please", "se-18 shirt"]
)
async def test_a_product_is_found_by_its_sku_or_external_id_and_comes_first(shop, q):
    search = await shop(*BEARS, SHIRT, *TEES)
    found = await search.find(SearchQuery(q=q))
    assert (found.cards()[0].title, found.relaxed, found.did_you_mean) == ("Red tee", None, None)


@pytest.mark.parametrize("sort", SEARCH_SORTS)
async def test_a_code_finds_the_same_products_in_every_sort(shop, sort):
    search = await shop(*BEARS, SHIRT, *TEES)
    assert await titles(search, "se-18", sort=sort) == ["Red tee"]


GTINS = [
    product(1, "Olive oil", codes=["0012345678905"]),
    product(2, "Vinegar", attributes={"GTIN": "04006381333931"}),
    product(3, "A novel", attributes={"isbn13": 9780140449136.0}),
    product(4, "Salt", attributes={"barcode": "96385074"}),
    product(5, "Pepper, 1234567890 grains", description="12345678905 times better"),
]


@pytest.mark.parametrize(
    ("q", "title"),
    [
        ("0012345678905", "Olive oil"),
        ("12345678905", "Olive oil"),
        ("00012345678905", "Olive oil"),
        ("4006381333931", "Vinegar"),
        ("4 006381 333931", "Vinegar"),
        ("vinegar 04006381333931", "Vinegar"),
        ("978-0-14-044913-6", "A novel"),
        ("96385074", "Salt"),
        ("00000096385074", "Salt"),
        ("0-14-044913-2", "A novel"),
    ],
)
async def test_a_barcode_is_found_with_and_without_leading_zeros(shop, q, title):
    assert (await titles(await shop(*GTINS), q))[0] == title


async def test_a_code_that_is_a_word_of_titles_wins_nothing(shop):
    """Else whoever calls their product LAPTOP would be the first of all laptops."""
    laptops = [product(n, f"Fast laptop {n}") for n in range(2, 20)]
    search = await shop(product(1, "Sticker", codes=["LAPTOP", "18"]), *laptops)
    assert (await titles(search, "laptop"))[0] != "Sticker"
    assert "Sticker" not in await titles(search, "fast laptop", limit=100)
    assert "Sticker" not in await titles(search, "laptop 18 gb", limit=100)
    assert "Sticker" in await titles(search, "laptop", limit=100)


async def test_a_code_passes_the_filters_as_words_do(shop):
    search = await shop(*BEARS, SHIRT)
    assert await titles(search, "se-18", price_min=5_000) == []
    assert await titles(search, "se-18", price_max=5_000) == ["Red tee"]


# -- scripts

WRITTEN = {
    "Re\u0301sume\u0301 folder": ["résumé", "Résumé folder", "resume", "RÉSUMÉ"],
    "İSTANBUL kahvesi": ["istanbul", "İstanbul", "ISTANBUL", "ıstanbul"],
    "IŞIK lamba": ["ışık", "isik", "IŞIK"],
    "Чайный набор ёлка": ["ёлка", "елка", "ЁЛКА", "чайный"],
    "Ελληνικό τσάι": ["τσάι", "τσαι", "ΤΣΆΙ", "ΤΣΑΙ"],
    "Straßenkarte": ["strassenkarte", "STRASSENKARTE", "straßenkarte"],
    "Ａｃｍｅ ㎏ scale": ["acme", "kg"],
    "ﬁlter paper": ["filter"],
    "Łódź poster": ["lodz", "łódź"],
    "ワイヤレスイヤホン 高音質 ノイズキャンセリング 長時間再生 防水 軽量 スポーツ用 ブラック 新型": [
        "イヤホン",
        "ﾜｲﾔﾚｽ",
        "高音質",
        "ノイズキャンセリング",
        "防水",
    ],
    "无线蓝牙耳机降噪运动型超长待机": ["耳机", "蓝牙耳机", "降噪"],
    "블루투스 무선이어폰 노이즈캔슬링": ["이어폰", "무선이어폰", "노이즈"],
    "หูฟังไร้สายบลูทูธตัดเสียงรบกวน": ["หูฟัง", "ไร้สาย", "บลูทูธ"],
    "हिन्दी किताब": ["हिन्दी", "किताब"],
    "قَهْوَة عربية": ["قهوة", "قهوه", "عربية"],
    "x" * 300: ["x" * 300],
    "Д" * 60: ["д" * 60],
}


@pytest.mark.parametrize("title", WRITTEN)
async def test_a_title_is_found_in_whatever_form_it_is_typed(shop, title):
    others = [product(n, f"Thing {n}") for n in range(50, 60)]
    search = await shop(product(1, title), *others)
    for q in [title, *WRITTEN[title], unicodedata.normalize("NFD", title)]:
        found = await search.find(SearchQuery(q=q))
        assert [card.title for card in found.cards()] == [title], q
        assert (found.relaxed, found.did_you_mean) == (None, None), q


async def test_marks_that_make_another_letter_count(shop):
    search = await shop(product(1, "ペット"), product(2, "ベッド"), product(3, "йод"), product(4, "иод"))
    assert await titles(search, "ペット") == ["ペット"]
    assert await titles(search, "ベッド") == ["ベッド"]
    assert await titles(search, "йод") == ["йод"]


async def test_a_single_letter_of_a_script_without_spaces_is_found(shop):
    search = await shop(product(1, "緑茶"), product(2, "紅茶ティー"), product(3, "珈琲"))
    assert set(await titles(search, "茶")) == {"緑茶", "紅茶ティー"}


async def test_a_script_without_spaces_is_never_corrected(shop):
    search = await shop(product(1, "ワイヤレスイヤホン"), product(2, "赤いケース"))
    found = await search.find(SearchQuery(q="赤い靴"))
    assert (found.relaxed and found.relaxed.q, found.did_you_mean) == ("赤い", None)
    assert (await search.find(SearchQuery(q="冷蔵庫"))).total == 0
    suggested = await search.suggest("イヤホ")
    assert (suggested.words, len(suggested.products)) == ([], 1)


async def test_brands_and_categories_are_suggested_however_they_are_typed(shop):
    search = await shop(
        product(1, brand="İstikbal", category="ev", categories=["ev"], category_names=["Éclairage"])
    )
    assert (await search.suggest("isti")).brands == ["İstikbal"]
    assert [each.name for each in (await search.suggest("ecl")).categories] == ["Éclairage"]


# -- mentions

LAMPS = [
    product(
        n,
        f"Brass desk lamp {n}",
        category="lamps",
        categories=["home", "lamps"],
        category_names=["Home", "Lamps"],
        price=5_000 + n,
        rating=3.0,
        brand="Lumen",
    )
    for n in range(1, 31)
]
PUZZLES = [
    product(
        n,
        f"Jigsaw puzzle {n}",
        description="It is the best that one can do on a rainy evening by the light of a lamp.",
        category="puzzles",
        categories=["toys", "puzzles"],
        category_names=["Toys", "Puzzles"],
        price=1_000 + n,
        rating=5.0,
        review_count=900,
        brand="Fun",
    )
    for n in range(101, 132)
]


@pytest.mark.parametrize("q", ["lamp", "lamps", "LAMP", "brass lamp", "lamp for the desk"])
@pytest.mark.parametrize("sort", SEARCH_SORTS)
async def test_what_only_mentions_the_thing_is_in_no_sort_and_no_count(shop, q, sort):
    search = await shop(*PUZZLES, *LAMPS)
    seen, cursor = [], None
    while True:
        page = await search.find(SearchQuery(q=q, sort=sort, limit=7, cursor=cursor))
        assert (page.total, page.total_pages, page.all_words) == (30, 5, None)
        assert {each.value: each.count for each in page.facets.categories} == {"home": 30, "lamps": 30}
        assert [each.count for each in page.facets.brands] == [30]
        seen += [card.product_id for card in page.cards()]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == list(range(1, 31))
    for number in range(1, 6):
        paged = await search.find(SearchQuery(q=q, sort=sort, limit=7, page=number))
        assert [card.product_id for card in paged.cards()] == seen[(number - 1) * 7 : number * 7]


async def test_a_filter_does_not_bring_mentions_back(shop):
    search = await shop(*PUZZLES, *LAMPS)
    found = await search.find(SearchQuery(q="lamp", price_max=2_000))
    assert found.total == 0
    assert sum(each.count for each in found.facets.price_ranges) == 30


async def test_what_no_product_is_named_by_is_found_in_texts(shop):
    search = await shop(*PUZZLES, *LAMPS)
    assert (await search.find(SearchQuery(q="rainy evening"))).total == 31


async def test_a_text_that_begins_with_the_name_is_as_good_as_a_title(shop):
    coded = product(200, "FS-9130DN", description="FS-9130DN lamp of brass")
    assert (await (await shop(*PUZZLES, *LAMPS, coded)).find(SearchQuery(q="lamp"))).total == 31


# -- lists without words


async def test_one_vote_of_five_stars_does_not_lead_a_category(shop):
    search = await shop(
        product(1, "One vote", rating=5.0, review_count=1),
        product(2, "Much loved", rating=4.6, review_count=400),
        product(3, "No votes"),
        product(4, "Bad", rating=2.0, review_count=50),
    )
    assert await titles(search, "") == ["Much loved", "One vote", "No votes", "Bad"]
    assert await titles(search, "", category=["uncategorised"]) == [
        "Much loved",
        "One vote",
        "No votes",
        "Bad",
    ]
    assert (await titles(search, "", sort="rating"))[0] == "One vote"  # by the stars alone
