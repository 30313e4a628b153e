"""How a letter is written for a mail server."""

from email.message import EmailMessage

import pytest

from mercat.notifications import smtp


@pytest.mark.parametrize("policy", [smtp._7BIT, smtp._UTF8])
def test_a_long_address_to_unsubscribe_stays_one_that_programs_read(policy):
    message = EmailMessage()
    address = f"<https://marketplace.of.a.large.company.example.com/unsubscribe/{'x' * 40}>"
    message["List-Unsubscribe"] = address
    message.set_content("Hello")
    assert f"List-Unsubscribe: {address}".encode() in message.as_bytes(policy=policy)
