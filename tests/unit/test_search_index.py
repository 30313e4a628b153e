"""What the index keeps whatever happens: the newest version, whole batches, an answer for every reader."""

import itertools
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_products import executor, gone, product, put

from mercat.kit.refusals import Unavailable
from mercat.search import SearchQuery
from mercat.search.engine import BrokenIndex
from mercat.search.engines.tantivy import TantivyReader, TantivyStore, TantivyWriter
from mercat.search.execute import QueryExecutor


def titles(writer):
    return {
        int(card.product_id): card.title for card in executor(writer).find(SearchQuery(limit=100)).cards()
    }


def writer_of(store):
    """Another writer of the index in use."""
    path = store.current()
    assert path is not None
    return TantivyWriter(path)


def test_an_older_version_never_overwrites_a_newer(where):
    writer = put(where, [product(1, "new", version=5)])
    assert writer.apply([product(1, "old", version=4)]) == 0
    assert titles(writer) == {1: "new"}


def test_a_version_that_is_there_is_not_written_again(where):
    writer = put(where, [product(1, version=5)])
    assert writer.apply([product(1, version=5)]) == 0
    assert writer.apply([]) == 0


def test_what_was_taken_from_sale_does_not_come_back(where):
    writer = put(where, [product(1, version=1), product(2, version=1)])
    writer.apply([gone(1, version=3)])
    writer.apply([product(1, version=2)])
    assert titles(writer) == {2: "Tea"}
    assert executor(writer).category_counts() == {"uncategorised": 1}
    writer.apply([product(1, "Again", version=4)])
    assert titles(writer) == {1: "Again", 2: "Tea"}


histories = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 6), st.booleans()),
    unique_by=lambda each: each[:2],
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(histories, st.data())
def test_in_whatever_order_and_however_often_facts_come_the_newest_stays(tmp_path_factory, history, data):
    facts = [product(n, f"v{v}", version=v) if there else gone(n, v) for n, v, there in history]
    told = data.draw(st.permutations(facts + data.draw(st.lists(st.sampled_from(facts))) if facts else []))
    cuts = data.draw(st.lists(st.integers(0, len(told)), max_size=3).map(sorted))
    writer = put(tmp_path_factory.mktemp("index"), [])
    for start, end in itertools.pairwise([0, *cuts, len(told)]):
        writer.apply(told[start:end])
    newest = {n: (v, there) for n, v, there in sorted(history)}
    assert titles(writer) == {n: f"v{v}" for n, (v, there) in newest.items() if there}


@settings(max_examples=40, deadline=None)
@given(histories, st.data())
def test_an_index_that_is_filled_while_facts_come_has_the_newest(tmp_path_factory, history, data):
    facts = [product(n, f"v{v}", version=v) if there else gone(n, v) for n, v, there in history]
    mixed = data.draw(st.permutations(facts)) if facts else []
    filled = data.draw(st.lists(st.booleans(), min_size=len(mixed), max_size=len(mixed)))
    writer = TantivyWriter(TantivyStore(tmp_path_factory.mktemp("index")).new_path(), create=True)
    for fact, from_the_shelf in zip(mixed, filled, strict=True):
        (writer.fill if from_the_shelf else writer.apply)([fact])
    writer.rest()
    newest = {n: (v, there) for n, v, there in sorted(history)}
    assert titles(writer) == {n: f"v{v}" for n, (v, there) in newest.items() if there}


def test_a_product_that_cannot_be_kept_spoils_nothing(tmp_path):
    writer = put(tmp_path, [product(1)])
    with pytest.raises(OverflowError):
        writer.apply([product(2), product(3, price=-1)])
    assert titles(writer) == {1: "Tea"}
    assert writer.apply([product(2)]) == 1


KILLED = """
    import sys
    from pathlib import Path
    from search_products import product
    from mercat.search.engines.tantivy import TantivyStore, TantivyWriter
    writer = TantivyWriter(TantivyStore(Path(sys.argv[1])).current())
    for batch in range(1_000):
        writer.apply([product(n, f"batch {batch}", version=batch + 2) for n in range(1, 21)])
        print(batch, flush=True)
"""


def test_a_killed_writer_leaves_whole_batches_and_the_next_one_goes_on(tmp_path):
    put(tmp_path, [product(n) for n in range(1, 21)]).rest()
    writing = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), tmp_path],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert writing.stdout
    done = [int(writing.stdout.readline()) for _ in range(5)][-1]
    writing.kill()
    writing.wait()

    assert TantivyStore(tmp_path).is_sound()
    writer = writer_of(TantivyStore(tmp_path))
    left = set(titles(writer).values())
    assert len(left) == 1  # never half a batch
    assert int(left.pop().removeprefix("batch ")) >= done  # what it said was written is
    told_again = [product(n, f"batch {batch}", version=batch + 2) for batch in range(9_990) for n in (1, 2)]
    writer.apply(told_again[-4:])
    assert titles(writer)[1] == titles(writer)[2] == "batch 9989"


def test_readers_see_a_change_without_being_told(tmp_path):
    writer = put(tmp_path, [product(1, "old")])
    reader = TantivyReader(TantivyStore(tmp_path))
    assert seen_by(reader) == {"old"}
    writer.apply([product(1, "new", version=2)])
    while "old" in seen_by(reader):  # a glance at the disk every 50 ms
        pass
    assert seen_by(reader) == {"new"}


def seen_by(reader):
    return {card.title for card in QueryExecutor(reader.searcher()).find(SearchQuery()).cards()}


def test_a_reader_sees_the_old_index_or_the_new_one(tmp_path):
    old = put(tmp_path, [product(n, "old") for n in range(1, 11)])
    reader = TantivyReader(TantivyStore(tmp_path))
    assert reader.searcher().num_docs == 10
    old.rest()
    put(tmp_path, [product(n, "new") for n in range(1, 31)])
    seen = set()
    while 30 not in seen:
        seen.add(reader.searcher().num_docs)
    assert seen <= {10, 30}
    assert len([path for path in tmp_path.iterdir() if path.is_dir() and not path.is_symlink()]) == 1


def test_a_reader_keeps_answering_from_an_index_that_was_lost(tmp_path):
    put(tmp_path, [product(1)]).rest()
    reader = TantivyReader(TantivyStore(tmp_path))
    assert reader.searcher().num_docs == 1
    (tmp_path / "current").unlink()
    reader.look_again()
    assert reader.searcher().num_docs == 1
    with pytest.raises(Unavailable):
        TantivyReader(TantivyStore(tmp_path)).searcher()


@pytest.mark.parametrize("file", ["term", "idx", "fast", "store", "pos", "fieldnorm", "json"])
@pytest.mark.parametrize("damage", ["gone", "short", "changed"])
def test_a_damaged_index_is_noticed(tmp_path, file, damage):
    put(tmp_path, [product(n, f"tea {n}", description="green") for n in range(1, 50)]).rest()
    assert TantivyStore(tmp_path).is_sound()
    harmed = next((tmp_path / "current").glob("meta.json" if file == "json" else f"*.{file}"))
    content = harmed.read_bytes()
    if damage == "gone":
        harmed.unlink()
    else:
        # Another file in its place: cutting one that this process has mapped would be a bus error for us.
        harm = content[: len(content) // 2] if damage == "short" else bytes([content[0] ^ 255]) + content[1:]
        (tmp_path / "harm").write_bytes(harm)
        (tmp_path / "harm").replace(harmed)
    assert not TantivyStore(tmp_path).is_sound()


def test_an_index_of_another_form_is_none(tmp_path):
    put(tmp_path, [product(1)]).rest()
    used = (tmp_path / "current").readlink()
    (tmp_path / used).rename(tmp_path / "00000000-1")
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to("00000000-1")
    assert TantivyStore(tmp_path).current() is None


def test_one_process_writes(tmp_path):
    put(tmp_path, []).apply([product(1)])
    folder = TantivyStore(tmp_path)
    first, second = writer_of(folder), writer_of(folder)
    first.apply([product(2)])
    with pytest.raises(BrokenIndex):
        second.apply([product(3)])
    first.rest()
    assert second.apply([product(3)]) == 1
