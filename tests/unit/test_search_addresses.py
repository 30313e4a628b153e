"""Several nodes of OpenSearch by address: who does not answer is left for the next."""

import random
import socket

import pytest
from search_nodes import answering

from mercat import settings_file
from mercat.search.engine import BrokenIndex
from mercat.search.engines.opensearch import OpenSearchClient


def client(*urls: str) -> OpenSearchClient:
    made = OpenSearchClient(",".join(urls))
    made._at = 0
    return made


def test_a_node_that_is_gone_or_shuts_down_is_left_for_the_next():
    with answering(503, 200) as (stopping, sound):
        asked = client("http://127.0.0.1:9", stopping.url, sound.url)
        for _ in range(3):
            assert asked.ask("GET", "/") == {}
        assert (len(stopping.asked), len(sound.asked)) == (1, 3)


def test_where_none_answers_it_is_said():
    with answering(503) as [stopping]:
        with pytest.raises(BrokenIndex):
            client("http://127.0.0.1:9", stopping.url).ask("GET", "/")
        with pytest.raises(BrokenIndex, match="503"):
            client(stopping.url).ask("GET", "/")


def test_a_node_that_hangs_fails_who_asked_it_and_nobody_after():
    with answering(200) as [sound], socket.create_server(("127.0.0.1", 0)) as hangs:
        asked = client(f"http://127.0.0.1:{hangs.getsockname()[1]}", sound.url)
        with pytest.raises(BrokenIndex):
            asked.ask("GET", "/", wait_s=0.1)
        assert asked.ask("GET", "/") == {}
        assert len(sound.asked) == 1


def test_user_and_password_of_the_first_are_those_for_all():
    with answering(503, 200) as (first, second):
        client(first.url.replace("//", "//ann:secret@"), second.url).ask("GET", "/")
        assert first.asked == second.asked == ["Basic YW5uOnNlY3JldA=="]
        assert "secret" not in str(client(first.url.replace("//", "//ann:secret@"))._nodes)


@pytest.mark.parametrize("password", ["a,b", "a%2Cb"])
def test_a_password_may_have_a_comma_written_as_such_or_as_urls_have_it(password):
    with answering(200, 200) as (first, second):
        asked = client(first.url.replace("//", f"//ann:{password}@") + " ", f" {second.url}/")
        assert asked._nodes == [first.url, second.url]
        asked.ask("GET", "/")
        assert first.asked == ["Basic YW5uOmEsYg=="]


def test_processes_begin_with_a_node_by_chance(monkeypatch):
    monkeypatch.setattr(random, "randrange", lambda nodes: nodes - 1)
    assert OpenSearchClient("http://a:1,http://b:1")._at == 1


def test_the_file_names_several(tmp_path):
    (tmp_path / "shop.toml").write_text('[search]\nopensearch = ["http://a:9200", "http://b:9200"]')
    assert settings_file.read(tmp_path / "shop.toml")["opensearch_url"] == "http://a:9200,http://b:9200"
