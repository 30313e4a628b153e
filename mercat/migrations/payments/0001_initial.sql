-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema payments;

-- Sums a journal entry, for the constraint that balances it.
create function payments.sum_of(amounts bigint[]) returns bigint
    language sql immutable strict parallel safe return (select coalesce(sum(a), 0)::bigint from unnest(amounts) a);

-- One row a checkout, kept for ever. `void` without an amount is a tombstone: a late charge is undone.
-- `parts`: the sellers' parts by account, before commission.
create table payments.payment (
    payment_id  bigint      primary key,
    checkout_id bigint      not null unique,
    order_id    bigint      not null,
    amount      bigint      not null check (amount >= 0),
    refunded    bigint      not null default 0 check (refunded >= 0),
    currency    text        not null,
    status      text        not null check (status in ('captured', 'declined', 'action_required', 'void')),
    reason      text        not null default '',
    parts       json        not null default '{}',
    at          timestamptz not null default now(),
    constraint refunds_within_capture check (refunded <= amount)
);
create index payment_order on payments.payment (order_id);
create index payment_waiting on payments.payment (at) where status = 'action_required';

-- What is asked of a provider that forgets our keys: written before any money can move, with its own reference as
-- soon as that is known. Open until the janitor has seen how it ended.
create table payments.attempt (
    checkout_id bigint      primary key,
    ask         json        not null,
    reference   text        not null default '',
    open        boolean     not null default true,
    at          timestamptz not null,
    customer    text        not null default ''
);
create index attempt_open on payments.attempt (at) where open;

-- A shopper's customer at a provider whose cards work once unless they are attached to one, and the cards that are;
-- they are charged for that shopper alone.
create table payments.customer (
    user_id  bigint primary key,
    customer text   not null unique
);
create table payments.card (
    token    text   primary key,
    user_id  bigint not null,
    customer text   not null
);

-- `parts`: what of it was taken from which account, sellers before commission. `failed`: the bank could not pay it
-- back, so it is owed still, and somebody has to find another way.
create table payments.refund (
    refund_id  bigint      primary key,
    payment_id bigint      not null references payments.payment,
    reference  text        not null unique,
    amount     bigint      not null check (amount > 0),
    status     text        not null check (status in ('pending', 'done', 'failed')),
    parts      json        not null,
    at         timestamptz not null default now()
);
create index refund_payment on payments.refund (payment_id);

-- The journal: an entry is one row, its postings two arrays, and the database refuses one that does not balance.
-- Debits are positive. `rules.py` says which accounts there are.
create table payments.entry (
    kind      text        not null check (kind in ('capture', 'refund', 'paid_back', 'came_back')),
    reference bigint      not null,
    currency  text        not null,
    accounts  text[]      not null,
    amounts   bigint[]    not null,
    at        timestamptz not null default now(),
    primary key (reference, kind),
    constraint entry_balances check (payments.sum_of(amounts) = 0),
    constraint entry_has_two_sides check (cardinality(accounts) = cardinality(amounts) and cardinality(accounts) >= 2)
);

-- Notices of providers, each heard once; one that came too early is taken up again until it is done.
create table payments.notice (
    provider    text        not null,
    event_id    text        not null,
    kind        text        not null,
    checkout_id bigint,
    tries       integer     not null default 0,
    at          timestamptz not null,
    done_at     timestamptz,
    primary key (provider, event_id)
);
create index notice_open on payments.notice (at) where done_at is null;

-- Differences between our books and a provider's, for an operator: one open case a subject and kind.
create table payments.matter (
    case_id     bigint      primary key,
    provider    text        not null,
    kind        text        not null check (kind in ('charged_without_payment', 'payment_without_charge',
        'amount_differs', 'refund_differs', 'authorisation_left', 'refund_failed')),
    subject     text        not null,
    order_id    bigint,
    ours        bigint      not null,
    theirs      bigint      not null,
    currency    text        not null,
    detail      text        not null default '',
    opened_at   timestamptz not null,
    seen_at     timestamptz not null,
    resolved_at timestamptz,
    resolved_by text,
    note        text
);
create unique index matter_open on payments.matter (provider, kind, subject) where resolved_at is null;

-- When our books were compared with the provider's by themselves.
create table payments.reconciled (
    one boolean     primary key default true check (one),
    at  timestamptz not null
);
insert into payments.reconciled (at) values (now());

-- The sandbox's own books: a card network that lives in the product, and keeps what it was asked by key.
create table payments.sandbox_charge (
    key      bigint      primary key,
    amount   bigint      not null,
    refunded bigint      not null default 0 check (refunded between 0 and amount),
    currency text        not null,
    token    text        not null,
    state    text        not null check (state in ('charged', 'authorised', 'declined', 'challenged', 'cancelled')),
    at       timestamptz not null default now()
);
create table payments.sandbox_refund (
    key    bigint primary key,
    charge bigint not null references payments.sandbox_charge,
    amount bigint not null check (amount > 0)
);
