"""Membership: joining the shop, coming back to it, and becoming a seller.

These verbs span services and have no tables of their own. Each is a row of steps that may be taken twice: a
crash anywhere leaves somebody who asks the same again, and loses nothing. Others import from here only.
"""

from mercat.membership.api import API
from mercat.membership.messages import JoinRequest, SignInRequest
from mercat.membership.service import Membership

__all__ = ["API", "JoinRequest", "Membership", "SignInRequest"]
