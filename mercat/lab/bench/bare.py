"""The floor of search: tantivy as it comes. `python -m mercat.lab.bench.bare build FILE FOLDER`, then
`ask QUESTIONS FOLDER SECONDS`: the same words in title and description, top 20 with what is shown."""

import json
import random
import sys
import time
from pathlib import Path

from tantivy import Document, Index, SchemaBuilder


def build(file: Path, folder: Path) -> None:
    folder.mkdir()
    builder = SchemaBuilder()
    builder.add_text_field("title", tokenizer_name="en_stem")
    builder.add_text_field("description", tokenizer_name="en_stem")
    builder.add_bytes_field("card", stored=True)
    index = Index(builder.build(), str(folder))
    writer = index.writer(100_000_000, 1)
    for line in file.open("rb"):
        raw = json.loads(line)
        entry = Document()
        entry.add_text("title", raw["title"])
        entry.add_text("description", raw["description"])
        entry.add_bytes("card", line[:350])
        writer.add_document(entry)
    writer.commit()
    writer.wait_merging_threads()


def ask(questions: Path, folder: Path, seconds: float) -> float:
    asked = json.loads(questions.read_text())
    random.shuffle(asked)
    index = Index.open(str(folder))
    searcher = index.searcher()
    count, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        words = "".join(each if each.isalnum() else " " for each in asked[count % len(asked)].lower())
        query = index.parse_query(words, ["title", "description"], conjunction_by_default=True)
        for _, address in searcher.search(query, 20, count=False).hits:
            searcher.doc(address)
        count += 1
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    what, first, second, *rest = sys.argv[1:]
    if what == "build":
        build(Path(first), Path(second))
    else:
        sys.stdout.write(str(ask(Path(first), Path(second), float(rest[0]))))
