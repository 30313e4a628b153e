"""Clients that generators make of the OpenAPI document buy, list and count, without a line by hand."""

import importlib
import json
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mercat.embedded import Connection
from mercat.web import PREFIX, TABLE
from mercat.web.openapi import document

pytestmark = pytest.mark.long

CLIENTS = Path(__file__).parents[1] / "clients"
BOB = {"email": "bob@example.com", "password": "mercat"}
HOME = {
    "name": "Ann",
    "line1": "1 Lane",
    "city": "Boston",
    "region": "MA",
    "postal_code": "02110",
    "country": "US",
}
PDFS = 4
"""Answers that are no JSON, which openapi-python-client leaves out and says so."""


def generated(folder: Path) -> Path:
    """Have openapi-python-client make a package of the document; it may complain of the PDFs alone."""
    generator = Path(sys.executable).with_name("openapi-python-client")
    if not generator.exists():
        pytest.skip("openapi-python-client is not installed")
    (folder / "openapi.json").write_bytes(msgspec.json.encode(document(TABLE, PREFIX)))
    (folder / "config.yml").write_text("post_hooks: []\n")
    command = [generator, "generate", "--path", "openapi.json", "--output-path", "mercat_client"]
    command += ["--meta", "none", "--config", "config.yml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert said.count("WARNING") == said.count("content_type application/pdf") <= PDFS, said
    return folder


class Api:
    """The generated package, asked by operation: `api("buying", "buy", client=…, …)`."""

    def __init__(self, folder: Path, base: str) -> None:
        sys.path.insert(0, str(folder))
        self._client: Any = importlib.import_module("mercat_client")
        self.models: Any = importlib.import_module("mercat_client.models")
        self.base = base

    def as_(self, token: str) -> Any:
        return self._client.AuthenticatedClient(self.base, token=token)

    def nobody(self) -> Any:
        return self._client.Client(self.base)

    def __call__(self, tag: str, name: str, status: int, **asked: Any) -> tuple[Any, Any]:
        """Ask; return the parsed answer, and its headers."""
        said = importlib.import_module(f"mercat_client.api.{tag}.{name}").sync_detailed(**asked)
        assert said.status_code == status, said.content
        assert said.parsed is not None, "the answer is as the document says"
        return said.parsed, said.headers


def test_one_in_python_buys_lists_and_counts(open_shop: Connection, tmp_path: Path) -> None:
    api = Api(generated(tmp_path), f"http://127.0.0.1:{open_shop.port}{PREFIX}")
    models = api.models
    session, _ = api("people", "sign_in", 201, client=api.nobody(), body=models.SignIn.from_dict(BOB))
    bob = api.as_(session.token)
    cup = {
        "title": "A cup of Python",
        "description": "",
        "category": "home-kitchen",
        "price": 5,
        "currency": "USD",
    }
    body = models.ListingRequest.from_dict(cup | {"quantity": 3})
    listed, _ = api("selling", "list_product", 201, client=bob, body=body)
    guest, _ = api("people", "guest", 201, client=api.nobody())
    ann = api.as_(guest.token)
    address, _ = api("people", "add_address", 201, client=ann, body=models.AddressRequest.from_dict(HOME))
    card = models.PaymentMethodRequest.from_dict({"token": "tok_visa"})
    method, _ = api("people", "add_payment_method", 201, client=ann, body=card)
    item = models.AddItem.from_dict({"offer_id": listed.offer_id, "quantity": 1})
    api("buying", "add_item", 200, client=ann, body=item)
    ask = models.CheckoutRequest.from_dict(
        {
            "shipping_address_id": address.address_id,
            "payment_method_id": method.payment_method_id,
            "shipping_method": "standard",
            "email": "ann@shop.example",
        }
    )
    bought, _ = api("buying", "buy", 201, client=ann, body=ask, idempotency_key=uuid.uuid4().hex)
    order, _ = api("buying", "order", 200, client=ann, order_id=bought.order_id)
    assert order.lines[0].title == "A cup of Python"
    stock, headers = api("selling", "stock", 200, client=bob, offer_id=listed.offer_id)
    assert stock.quantity == 2
    seven = models.StockCount.from_dict({"quantity": 7})
    counted, _ = api(
        "selling",
        "count_stock",
        200,
        client=bob,
        offer_id=listed.offer_id,
        body=seven,
        if_match=headers["etag"],
    )
    assert counted.quantity == 7


def test_one_in_typescript_type_checks_and_does_the_same(open_shop: Connection, tmp_path: Path) -> None:
    node, modules = shutil.which("node"), CLIENTS / "node_modules"
    if not node or not modules.exists():
        pytest.skip("openapi-typescript is not installed: make clients")
    for name in ("shop.ts", "tsconfig.json", "package.json"):
        shutil.copy(CLIENTS / name, tmp_path / name)
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "openapi.json").write_bytes(msgspec.json.encode(document(TABLE, PREFIX)))
    # A member with a default may be left out of what is asked; of what is answered it is always there.
    types = ["node_modules/.bin/openapi-typescript", "openapi.json", "-o", "api.d.ts"]
    for command in ([*types, "--default-non-nullable=false"], ["node_modules/.bin/tsc", "-p", "."]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    base = f"http://127.0.0.1:{open_shop.port}{PREFIX}"
    shop = [node, "built/shop.js", base, BOB["email"], BOB["password"]]
    done = subprocess.run(shop, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"status": "confirmed", "quantity": 7}
