"""What all pages of the operator's desk share."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mercat.web.pages import Pages
from mercat.web.session import with_role


async def operator_page(
    pages: Pages, request: Request, here: str, name: str, /, status: int = 200, **shown: Any
) -> Response:
    """Send a page of the operator's desk, to operators alone; `here` is its place in the desk's menu."""
    caller = await with_role(request, "operator")
    return await pages.page(request, name, status, desk="operator", desk_name=caller.name, here=here, **shown)
