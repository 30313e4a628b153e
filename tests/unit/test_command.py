"""What `mercat` says to a mistake: one clear line, never a traceback, and nothing is made."""

import pytest
from commands import mercat


def one_line(run, code=1):
    assert run.returncode == code, run.stderr
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1, run.stderr
    return run.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("audit", "--json"),
        ("reconcile",),
        ("import", __file__),
        ("search", "verify"),
        ("search", "evaluate", "--queries", __file__, "--judgements", __file__),
        ("search", "train", "--queries", __file__, "--judgements", __file__),
        ("flash", "verify", "demo"),
        ("psql", "-c", "select 1"),
        ("operator", "create", "olga@example.com"),
        ("operator", "grant", "olga@example.com"),
    ],
)
def test_a_folder_without_a_shop_is_said_and_none_is_made(command, tmp_path):
    nowhere = tmp_path / "nowhere"
    said = one_line(mercat(*command, "--data", nowhere))
    assert f"There is no shop in {nowhere}" in said
    assert "mercat serve --data" in said
    assert not nowhere.exists()


def test_a_setting_of_the_wrong_kind_stops_the_start_and_is_named(tmp_path):
    said = one_line(mercat("serve", "--data", tmp_path / "shop", MERCAT_POOL_SIZE="many"))
    assert "MERCAT_POOL_SIZE" in said
    assert "'many'" in said
    assert not (tmp_path / "shop").exists()


def test_a_currency_that_is_none_stops_the_start(tmp_path):
    said = one_line(mercat("serve", "--data", tmp_path / "shop", MERCAT_CURRENCY="euro"))
    assert "MERCAT_CURRENCY cannot be 'euro'" in said


@pytest.mark.parametrize(("name", "wrong"), [("MERCAT_WORKERS", "0"), ("MERCAT_PORT", "http")])
def test_where_it_answers_and_with_how_many_is_a_setting_too(name, wrong, tmp_path):
    run = mercat("serve", "--data", tmp_path / "shop", **{name: wrong})
    assert run.returncode == 2
    assert name in run.stderr
    assert not (tmp_path / "shop").exists()


def test_a_service_that_does_not_exist_is_named(tmp_path):
    said = one_line(mercat("serve", "--data", tmp_path / "shop", "--only", "orders,warehouse"))
    assert "'warehouse'" in said
    assert "inventory" in said


def test_made_up_products_for_a_place_that_cannot_be_written(tmp_path):
    said = one_line(mercat("generate", "--products", 3, "--out", tmp_path / "no" / "such" / "file"))
    assert "cannot be written: no such file" in said


@pytest.mark.parametrize("content", [b"not json", b'{"query_id": 1, "query": "tea"}', b"\xff\xfe\x00"])
@pytest.mark.parametrize("step", ["evaluate", "train"])
def test_questions_that_are_none_are_said(step, content, tmp_path):
    pytest.importorskip("lightgbm")
    (tmp_path / "secret.key").write_text("a shop's")
    asked = tmp_path / "asked.jsonl"
    asked.write_bytes(content)
    run = mercat("search", step, "--queries", asked, "--judgements", asked, "--data", tmp_path)
    assert f"{asked} has a line" in one_line(run)


def test_questions_before_there_is_an_index(tmp_path):
    pytest.importorskip("lightgbm")
    (tmp_path / "secret.key").write_text("a shop's")
    asked, graded = tmp_path / "asked.jsonl", tmp_path / "graded.jsonl"
    asked.write_text('{"query_id": "1", "query": "tea"}\n')
    graded.write_text('{"query_id": "1", "product_id": "x", "grade": 3}\n')
    run = mercat("search", "evaluate", "--queries", asked, "--judgements", graded, "--data", tmp_path)
    assert "has no index yet" in one_line(run)


def test_a_folder_is_no_file_of_questions(tmp_path):
    run = mercat("search", "evaluate", "--queries", tmp_path, "--judgements", tmp_path, COLUMNS="500")
    assert run.returncode == 2
    assert "is a directory" in run.stderr
