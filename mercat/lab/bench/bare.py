"""The floors of search: tantivy as it comes. `python -m mercat.lab.bench.bare build FILE FOLDER`, then
`ask QUESTIONS FOLDER SECONDS`: the same words in title and description, top 20 with what is shown; with
`facets` behind it, the same that the shop counts is counted of all that is found."""

import json
import random
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tantivy import Document, Index, Query, Schema, SchemaBuilder, Searcher

_ATTRIBUTES = 4
_COUNTED = {
    "brand": {"terms": {"field": "brand", "size": 1_000}},
    "category": {"terms": {"field": "category", "size": 1_000}},
    "range": {"terms": {"field": "range", "size": 1_000}},
    "price": {"stats": {"field": "price"}},
}


def build(file: Path, folder: Path) -> None:
    folder.mkdir()
    index = Index(_schema(), str(folder))
    writer = index.writer(100_000_000, 1)
    named = defaultdict[str, Counter[str]](Counter)
    for line in file.open("rb"):
        raw = json.loads(line)
        category = "/".join(raw["category_path"])
        attributes = {_name(name): str(value) for name, value in raw["attributes"].items()}
        named[category].update(list(attributes))
        entry = Document()
        entry.add_text("title", raw["title"])
        entry.add_text("description", raw["description"])
        entry.add_text("brand", raw["brand"])
        entry.add_text("category", category)
        entry.add_text("range", str(min(raw["price"] // 25_00, 3)))
        entry.add_unsigned("price", raw["price"])
        entry.add_json("attributes", attributes)
        entry.add_bytes("card", line[:350])
        writer.add_document(entry)
    writer.commit()
    writer.wait_merging_threads()
    common = {category: [name for name, _ in of.most_common(_ATTRIBUTES)] for category, of in named.items()}
    (folder / "attributes").write_text(json.dumps(common))


def _schema() -> Schema:
    builder = SchemaBuilder()
    for name in ("title", "description"):
        builder.add_text_field(name, tokenizer_name="en_stem")
    for name in ("brand", "range"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_text_field("category", tokenizer_name="raw", index_option="basic", fast=True, stored=True)
    builder.add_unsigned_field("price", fast=True)
    builder.add_json_field("attributes", tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_bytes_field("card", stored=True)
    return builder.build()


def _name(attribute: str) -> str:
    return "".join(each for each in attribute if each.isalnum())


def ask(questions: Path, folder: Path, seconds: float, *, facets: bool = False) -> float:
    asked = json.loads(questions.read_text())
    random.shuffle(asked)
    index = Index.open(str(folder))
    attributes = json.loads((folder / "attributes").read_text())
    searcher = index.searcher()
    count, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        words = "".join(each if each.isalnum() else " " for each in asked[count % len(asked)].lower())
        query = index.parse_query(words, ["title", "description"], conjunction_by_default=True)
        shown = [searcher.doc(address) for _, address in searcher.search(query, 20, count=False).hits]
        if facets:
            _count(searcher, query, attributes[shown[0]["category"][0]] if shown else [])
        count += 1
    return count / (time.perf_counter() - began)


def _count(searcher: Searcher, query: Query, attributes: list[str]) -> dict[str, Any]:
    """Count brands, categories, ranges, the extremes of the price, and a category's attributes."""
    own = {name: {"terms": {"field": f"attributes.{name}", "size": 200}} for name in attributes}
    engine: Any = searcher
    return engine.aggregate(query, _COUNTED | own)


if __name__ == "__main__":
    what, first, second, *rest = sys.argv[1:]
    if what == "build":
        build(Path(first), Path(second))
    else:
        facets = rest[1:] == ["facets"]
        sys.stdout.write(str(ask(Path(first), Path(second), float(rest[0]), facets=facets)))
