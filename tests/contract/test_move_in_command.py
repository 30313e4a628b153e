"""`mercat move-in` as a person runs it: what it refuses, in one line, and what it shows."""

import pytest
from commands import mercat


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Give one of --to FILE, --back PART and --status."),
        (("--status", "--back", "log"), "Give one of --to FILE, --back PART and --status."),
        (
            ("--back", "carts"),
            "There is no part 'carts' that moves. There are: pictures, search, analytics, log.",
        ),
        (("--status",), "There is no shop in"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, options, said):
    done = mercat("move-in", "--data", tmp_path / "none", *options)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(said)


def test_a_shop_that_is_closed_is_not_moved(tmp_path):
    (tmp_path / "secret.key").write_text("a key")
    done = mercat("move-in", "--data", tmp_path, "--status")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is not open. Parts move while it is" in done.stderr
