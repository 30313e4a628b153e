-- Change: what the reports' engine adds up to by day, so that the audit can compare it with the books.
-- Previous release: does not know this schema.

create schema analytics;

-- Written by the process that owns the engine, from what the engine answers. `seller_id` 0: all of them together.
create table analytics.day (
    day        date   not null,
    seller_id  bigint not null,
    orders     bigint not null,
    units      bigint not null,
    gross      bigint not null,
    discount   bigint not null,
    tax        bigint not null,
    shipping   bigint not null,
    commission bigint not null,
    cancelled  bigint not null,
    refunds    bigint not null,
    primary key (day, seller_id)
);

-- How far the log was read when the days were added up, and up to when that is everything.
create table analytics.reached (
    one      boolean     primary key default true check (one),
    position bigint      not null,
    as_of    timestamptz not null
);

-- The engine's own position, written before the follower moves on: an engine that says less has lost facts.
create table analytics.engine (
    one      boolean primary key default true check (one),
    position bigint  not null
);
