create schema if not exists payments;

-- Sums a journal entry, for the constraint that balances it.
create or replace function payments.sum_of(amounts bigint[]) returns bigint
    language sql immutable strict parallel safe return (select coalesce(sum(a), 0)::bigint from unnest(amounts) a);

-- One row a checkout, kept for ever. `void` without an amount is a tombstone: a late charge is undone.
create table if not exists payments.payment (
    payment_id  bigint      primary key,
    checkout_id bigint      not null unique,
    order_id    bigint      not null,
    amount      bigint      not null check (amount >= 0),
    refunded    bigint      not null default 0 check (refunded >= 0),
    currency    text        not null,
    status      text        not null check (status in ('captured', 'declined', 'action_required', 'void')),
    reason      text        not null default '',
    action      text,
    parts       json        not null default '{}',
    at          timestamptz not null default now(),
    constraint refunds_within_capture check (refunded <= amount)
);
create index if not exists payment_order on payments.payment (order_id);

create table if not exists payments.refund (
    refund_id  bigint      primary key,
    payment_id bigint      not null references payments.payment,
    reference  text        not null unique,
    amount     bigint      not null check (amount > 0),
    status     text        not null check (status in ('pending', 'done')),
    at         timestamptz not null default now()
);
create index if not exists refund_payment on payments.refund (payment_id);

-- The journal: an entry is one row, its postings two arrays, and the database refuses one that does not balance.
-- Debits are positive. Accounts: provider, shopper, seller:<id>, commission, tax, shipping.
create table if not exists payments.entry (
    kind      text        not null,
    reference bigint      not null,
    currency  text        not null,
    accounts  text[]      not null,
    amounts   bigint[]    not null,
    at        timestamptz not null default now(),
    primary key (reference, kind),
    constraint entry_balances check (payments.sum_of(amounts) = 0),
    constraint entry_has_two_sides check (cardinality(accounts) = cardinality(amounts) and cardinality(accounts) >= 2)
);

-- The sandbox's own books: a card network that lives in the product, and keeps what it was asked by key.
create table if not exists payments.sandbox_charge (
    key      bigint      primary key,
    amount   bigint      not null,
    refunded bigint      not null default 0 check (refunded between 0 and amount),
    currency text        not null,
    token    text        not null,
    state    text        not null check (state in ('charged', 'declined', 'challenged', 'cancelled')),
    at       timestamptz not null default now()
);
create table if not exists payments.sandbox_refund (
    key    bigint primary key,
    charge bigint not null references payments.sandbox_charge,
    amount bigint not null check (amount > 0)
);
