"""What is sealed is read back as it was written, and nothing else is read at all."""

import string

import pytest

from mercat.kit.signing import seal, unseal

SECRET = b"secret"


@pytest.mark.parametrize("what", [1, 12, 123, "tea"])
def test_no_other_way_to_write_a_seal_is_taken(what):
    sealed = seal(SECRET, what)
    assert unseal(SECRET, sealed, type(what)) == what
    others = {sealed[:-1] + each for each in string.ascii_letters + string.digits + "-_"} - {sealed}
    others |= {sealed + "=", f" {sealed}", sealed[:5] + "!" + sealed[5:], sealed[:-1], sealed + "A", ""}
    assert [each for each in others if unseal(SECRET, each, type(what)) is not None] == []
    assert unseal(b"another", sealed, type(what)) is None
