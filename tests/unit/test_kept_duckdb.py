"""The DuckDB that the shops of a test process share does not hand on what one of them broke."""

import duckdb
import kept_duckdb
import pytest

from mercat.analytics.engines.duckdb import FILE, DuckDbEngine


def test_a_file_that_cannot_be_opened_is_let_go(tmp_path):
    with duckdb.connect(tmp_path / FILE) as other:
        other.execute("create table summed (another integer)")
    for _ in range(2):
        with pytest.raises(duckdb.Error):
            DuckDbEngine(tmp_path / FILE, 256)
    (tmp_path / FILE).unlink()
    DuckDbEngine(tmp_path / FILE, 256).close()


def test_what_a_fatal_error_ended_is_replaced(tmp_path):
    broken = DuckDbEngine(tmp_path / FILE, 256)
    broken._db.execute("set debug_checkpoint_abort = 'before_truncate'")
    with pytest.raises(duckdb.Error, match="has been invalidated"):
        broken._db.execute("checkpoint")
    broken._db.execute("reset debug_checkpoint_abort")
    broken.close()
    DuckDbEngine(tmp_path / FILE, 256).close()


def test_an_instance_that_answers_no_more_is_replaced(tmp_path):
    before = DuckDbEngine(tmp_path / FILE, 256)
    kept_duckdb._kept[0].db.close()
    DuckDbEngine(tmp_path / "another" / FILE, 256).close()
    before.close()
    DuckDbEngine(tmp_path / FILE, 256).close()
