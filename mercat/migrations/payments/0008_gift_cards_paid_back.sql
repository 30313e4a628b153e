-- Change: a gift card that is to be paid back is stopped first, and taken by the transaction that pays it back.
-- Previous release: pays back first and voids what is left afterwards, as before.

-- `refund`: the reference of the refund that takes it. `stopped`: it could be used until then.
alter table payments.sold_gift_card add column refund text, add column stopped boolean not null default false;
create index sold_gift_card_refund on payments.sold_gift_card (refund) where refund is not null;
