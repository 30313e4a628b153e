"""Stories that Schemathesis makes of the document's own links: what an answer names is asked for next.

Bounded: some stories of some steps, always the same ones. Nothing may be a fault of ours, and every answer is
one that the document has, in its form."""

import uuid
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mercat.embedded import Connection
from mercat.web import PREFIX

pytestmark = pytest.mark.long

STORIES, STEPS = 8, 6
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def somebody(base: str) -> str:
    """Register somebody who sells, and return their token: the stories are theirs alone."""
    name = f"story-{uuid.uuid4().hex[:8]}"
    account = {"email": f"{name}@shop.example", "password": "correct horse 9", "name": name}
    with httpx.Client(base_url=base, timeout=60) as http:
        assert http.post("/accounts", json=account).status_code == 201
        session = http.post("/sessions", json={"email": account["email"], "password": account["password"]})
        token = session.json()["token"]
        made = http.post("/sellers", json={"name": name}, headers={"Authorization": f"Bearer {token}"})
        assert made.status_code == 201, made.text
    return token


def test_what_an_answer_names_can_be_asked_for_next(open_shop: Connection) -> None:
    base = f"http://127.0.0.1:{open_shop.port}{PREFIX}"
    token = somebody(base)
    schema = schemathesis.openapi.from_url(f"{base}/openapi.json")
    schema.config.update(base_url=base)
    schema = schema.include(tag=["Buying", "Selling", "Opinions"]).exclude(operation_id="start_import")
    machine: Any = schema.as_state_machine()
    asked: list[int] = []

    class Story(machine):
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": {"Authorization": f"Bearer {token}"}}

        def validate_response(self, response: Any, case: Any, **more: Any) -> None:
            asked.append(response.status_code)
            case.validate_response(response, checks=CHECKS)

    Story.run(
        settings=settings(
            max_examples=STORIES,
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=[
                HealthCheck.too_slow,
                HealthCheck.filter_too_much,
                HealthCheck.data_too_large,
            ],
        )
    )
    assert len(asked) > STORIES
