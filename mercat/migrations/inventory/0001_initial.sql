-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema inventory;

-- `version` is raised by whatever changes availability (on_hand - reserved - safety), and by nothing else.
create table inventory.stock (
    offer_id    bigint  not null,
    location_id bigint  not null default 1,
    on_hand     integer not null default 0 check (on_hand >= 0),
    reserved    integer not null default 0 check (reserved >= 0),
    safety      integer not null default 0 check (safety >= 0),
    low_mark    integer not null default 5,
    version     integer not null default 1,
    seller_id   bigint,
    primary key (offer_id, location_id),
    constraint never_oversold check (reserved <= on_hand)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- One row a checkout, kept for ever: an answer is an answer. A refusal holds nothing; a tombstone
-- (released without lines) is what makes a late reserve refused.
create table inventory.reservation (
    checkout_id  bigint      primary key,
    state        text        not null check (state in ('held', 'sold', 'released', 'refused')),
    offer_ids    bigint[]    not null,
    location_ids bigint[]    not null,
    quantities   integer[]   not null,
    refusal      jsonb,
    at           timestamptz not null default now(),
    check (array_length(offer_ids, 1) is not distinct from array_length(quantities, 1)),
    check (array_length(offer_ids, 1) is not distinct from array_length(location_ids, 1))
) with (fillfactor = 50); -- every row is written twice: held, then sold

-- Every unit that came or went, one row an act: on_hand is the sum of these.
create table inventory.movement (
    kind         text        not null check (kind in ('received', 'counted', 'sold', 'returned')),
    reference    text        not null,
    offer_ids    bigint[]    not null,
    location_ids bigint[]    not null,
    quantities   integer[]   not null,
    at           timestamptz not null default now(),
    primary key (reference, kind)
);
