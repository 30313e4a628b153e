"""A letter that cannot be delivered: who ordered sees it, operators are told and send it again."""

import re
import socket

import httpx
import pytest
from aiosmtpd.controller import Controller
from house import Opened, Visitor, credentials
from house import opened as opened
from journeys.people import Town, until

from mercat.accounts import NewPerson
from mercat.web.routes import PREFIX

OLGA = {"email": "olga@example.com", "password": "correct horse", "name": "Olga"}


class Refusing:
    """A real mail server that refuses one address for good, until it is told to take it."""

    def __init__(self):
        self.refuses = True
        self.taken: list[str] = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refuses and address.startswith("gone@"):
            return "550 5.1.1 <b>no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.taken += envelope.rcpt_tos
        return "250 taken"


@pytest.fixture
def post():
    server = Refusing()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(server, "127.0.0.1", port)
    controller.start()
    yield server, f"smtp://127.0.0.1:{port}"
    controller.stop()


async def operator(house) -> Visitor:
    await house.shop.accounts.create_operator(NewPerson(**OLGA))
    visitor = await house.visitor()
    await visitor.api("POST", "/sessions", 201, credentials(OLGA))
    return visitor


async def test_what_cannot_be_delivered_is_seen_and_told_and_sent_again(opened: Opened, post):
    server, url = post
    async with opened(smtp_url=url, gather_letters_s=0.2) as house:
        await house.shop.catalog.add_category("Tea")
        olga = await operator(house)
        door = (await house.visitor()).http._transport
        async with httpx.AsyncClient(transport=door, base_url=f"http://127.0.0.1{PREFIX}") as http:
            town = Town(http)
            tea = await (await town.seller()).lists()
            gus = await town.guest()
            gus.email = "gone@example.org"
            await gus.ready()
            await gus.puts(tea["offer_id"])
            order_id = (await gus.buys())["order_id"]

        async def failed() -> list:
            return (await olga.api("GET", "/operator/letters", 200))["letters"]

        await until(failed, 30)
        [letter] = await failed()
        assert (letter["kind"], letter["recipient"]) == ("order_confirmed", "gone@example.org")
        assert letter["failure"].startswith("550 5.1.1")
        assert letter["tries"] == 1
        desk = await olga.page("/operator/letters")
        assert "550 5.1.1 &lt;b&gt;no such user" in desk
        assert "not sent: 550 5.1.1 &lt;b&gt;no such user" in await olga.page(f"/operator/orders/{order_id}")

        [mail] = await house.shop.notifications.mailbox(50, "gone@example.org")
        link = re.search(r"http://[^/]+(/orders/\S+)", mail.body)
        assert link
        visitor = await house.visitor()
        words = "A letter about this order could not be delivered"
        page = await visitor.page(link[1])
        assert words in page
        assert "gone@example.org did not take it" in page

        async def told() -> list:
            mails = await house.shop.notifications.mailbox(50, OLGA["email"])
            return [mail for mail in mails if mail.kind == "letter_undeliverable" and mail.sent_at]

        await until(told, 30)
        [about] = await told()
        assert about.subject == "A letter could not be delivered"
        assert order_id in about.body

        server.refuses = False
        await olga.send("/operator/letters", f"/operator/letters/{letter['mail_id']}/again")

        async def arrived() -> bool:
            return "gone@example.org" in server.taken

        await until(arrived, 30)
        await until(lambda: none(failed), 30)
        assert words not in await visitor.page(link[1])

        server.refuses = True  # what was sent once is followed when it is sent again
        await olga.api("POST", f"/operator/orders/{order_id}/letters/{letter['mail_id']}/resend", 200)
        await until(failed, 30)
        assert words in await visitor.page(link[1])
        for wrong in ("9" * 30, "x"):
            assert "gone@example.org" in await olga.page(f"/operator/letters?before={wrong}")


async def none(failed) -> bool:
    return await failed() == []
