from mercat.kit.rpc import Route
from mercat.membership.service import Membership

API = [
    Route("POST", "/members", Membership.register),
    Route("POST", "/joined", Membership.join),
    Route("POST", "/sessions", Membership.sign_in),
    Route("POST", "/sellers", Membership.become_seller),
    Route("POST", "/sellers/{seller_id}/person", Membership.assign_seller),
    Route("POST", "/sellers-by-email", Membership.seller_of_email),
]
