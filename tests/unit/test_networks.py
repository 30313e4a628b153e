"""Who is at the other end: each way in which peers and proxies write an address, and who may say it."""

import pytest

from mercat.web.networks import Proxies, address_in, is_loopback, network_of


@pytest.mark.parametrize(
    ("written", "address", "network"),
    [
        ("203.0.113.5", "203.0.113.5", "203.0.113.5"),
        ("203.0.113.5:51234", "203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5", "203.0.113.5"),
        ("[::ffff:203.0.113.5]:443", "203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::9", "2001:db8:1:2::"),
        ('"[2001:DB8:1:2::9]"', "2001:db8:1:2::9", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::1", "fe80::"),
        (" 203.0.113.5 ", "203.0.113.5", "203.0.113.5"),
        ("unknown", "", ""),
        ("_hidden", "", ""),
        ("1" * 1_000, "", ""),
    ],
)
def test_an_address_has_one_form_and_a_network(written: str, address: str, network: str) -> None:
    assert address_in(written) == address
    assert network_of(address) == network


@pytest.mark.parametrize("near", ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1", "localhost", ""])
def test_this_machine_is_known_by_each_of_its_names(near: str) -> None:
    assert is_loopback(near)
    assert not is_loopback("203.0.113.5")
    assert not is_loopback("2001:db8::1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["6.6.6.6, 203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["6.6.6.6, 203.0.113.5, 192.168.7.7"], "203.0.113.5"),
        ("10.0.0.1", ["6.6.6.6", "203.0.113.5", "192.168.7.7:8080"], "203.0.113.5"),
        ("::ffff:10.0.0.1", ["203.0.113.5:1234"], "203.0.113.5"),
        ("2001:db8::5", ["[2001:db9::7]:1"], "2001:db9::7"),
        ("10.0.0.1", ["203.0.113.5, rubbish"], "10.0.0.1"),
        ("10.0.0.1", ["rubbish, 192.168.7.7"], "192.168.7.7"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.2", ["203.0.113.5"], "10.0.0.2"),
        ("203.0.113.99", ["1.1.1.1"], "203.0.113.99"),
        ("", ["1.1.1.1"], ""),
        ("10.0.0.1", ["1.1.1.1," + "10.0.0.1," * 1_000 + "203.0.113.5"], "203.0.113.5"),
    ],
)
def test_only_our_own_proxies_are_believed_and_from_the_right(
    peer: str, forwarded: list[str], client: str
) -> None:
    proxies = Proxies("10.0.0.1 192.168.0.0/16 2001:db8::/32")
    assert proxies.client(peer, [each.encode() for each in forwarded]) == client


def test_without_proxies_nobody_is_believed() -> None:
    assert Proxies().client("10.0.0.1", [b"203.0.113.5"]) == "10.0.0.1"
