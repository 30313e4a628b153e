from mercat.kit.verbs import Verb
from mercat.membership.service import Membership

API = [
    Verb(Membership.register),
    Verb(Membership.join),
    Verb(Membership.sign_in),
    Verb(Membership.become_seller),
    Verb(Membership.assign_seller),
    Verb(Membership.seller_of_email),
]
