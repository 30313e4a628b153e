-- Change: gift cards and store credit pay orders beside a card; a payment says how much of it they paid, and a refund how
--   much of it went back to them.
-- Previous release: names its columns. What it writes was paid by card alone.

-- What somebody may spend here: a gift card, known by the hash of its code, or a person's store credit.
create table payments.stored_value (
    value_id   bigint      primary key,
    kind       text        not null check (kind in ('gift_card', 'store_credit')),
    code_hash  bytea       unique,
    last4      text        not null default '',
    user_id    bigint      unique,
    initial    bigint      not null default 0 check (initial >= 0),
    balance    bigint      not null,
    currency   text        not null,
    status     text        not null default 'active' check (status in ('active', 'disabled')),
    expires_at timestamptz,
    made_at    timestamptz not null,
    constraint never_overdrawn check (balance >= 0),
    constraint known_by_one check ((kind = 'gift_card') = (code_hash is not null)
        and (kind = 'store_credit') = (user_id is not null))
);
create index stored_value_kind on payments.stored_value (kind, value_id);

-- Every change of a balance: what was issued, held for a checkout, given back, refunded.
create table payments.value_movement (
    reference bigint      not null,
    kind      text        not null check (kind in ('issued', 'held', 'given_back', 'refunded')),
    value_id  bigint      not null references payments.stored_value,
    amount    bigint      not null check (amount <> 0),
    note      text        not null default '',
    at        timestamptz not null,
    primary key (reference, kind, value_id)
);
create index value_movement_value on payments.value_movement (value_id, at);

-- What of a checkout is paid by which: held before the card is charged, taken with the capture, or given back. One that
-- is given back before it was held is a tombstone: it is never held.
create table payments.tender (
    checkout_id bigint      not null,
    value_id    bigint      not null references payments.stored_value,
    payment_id  bigint      not null,
    place       smallint    not null,
    amount      bigint      not null check (amount > 0),
    refunded    bigint      not null default 0,
    state       text        not null check (state in ('held', 'taken', 'given_back')),
    at          timestamptz not null,
    primary key (checkout_id, value_id),
    constraint refunds_within_tender check (refunded between 0 and amount)
);
create index tender_held on payments.tender (at) where state = 'held';

-- Not validated here: that would read large tables under the lock of this migration. 0005 does.
alter table payments.payment add column tendered bigint not null default 0;
alter table payments.payment add constraint tendered_within_amount check (tendered between 0 and amount) not valid;
alter table payments.refund add column stored bigint not null default 0;
alter table payments.refund add constraint stored_within_amount check (stored between 0 and amount) not valid;
alter table payments.entry drop constraint entry_kind_check;
alter table payments.entry add constraint entry_kind_check
    check (kind in ('capture', 'refund', 'paid_back', 'came_back', 'issued')) not valid;
