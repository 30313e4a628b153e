-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema checkout;

-- What begin committed: all that later steps need. A replay reads nothing else. `cart_id` is emptied by a refusal,
-- so that at most one running or confirmed checkout stands for a cart.
create table checkout.checkout (
    checkout_id bigint      primary key,
    user_id     bigint      not null,
    key         text        not null,
    fingerprint bytea       not null,
    cart_id     bigint      unique,
    record      json        not null,
    begun_at    timestamptz not null,
    pass        text,
    unique (user_id, key)
);
-- A flash sale's pass buys once, as a cart does.
create unique index one_checkout_a_pass on checkout.checkout (pass) where pass is not null;

-- Checkouts on their way: who works on one holds its lease and its fence; the direction is decided once.
create table checkout.running (
    checkout_id bigint      primary key,
    fence       integer     not null default 1,
    lease_until timestamptz not null,
    direction   text        check (direction in ('forward', 'undo')),
    reason      json,
    waits_until timestamptz,
    tries       integer     not null default 0,
    begun_at    timestamptz not null,
    parked      text
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- The final answer, byte for byte as it was given.
create table checkout.answer (
    checkout_id bigint      primary key,
    status      smallint    not null,
    body        bytea       not null,
    at          timestamptz not null
);
-- The few that are forgotten after a day, found among millions that are not.
create index answer_refused on checkout.answer (checkout_id) where status <> 201;

-- Cancellations, returns and parcels: sagas of the same kind, begun here and run again until they are done.
create table checkout.undoing (
    reference   text        primary key,
    order_id    bigint      not null,
    record      json        not null,
    lease_until timestamptz not null,
    tries       integer     not null default 0,
    begun_at    timestamptz not null default now(),
    parked      text,
    done_at     timestamptz
);
create index undoing_open on checkout.undoing (lease_until) where done_at is null and parked is null;
