-- Change: sellers' receivers of webhooks, and what is delivered to each.
-- Previous release: does not know this schema.

create schema webhooks;

-- A seller has at most ten, by their slots. `events`: what it wants to hear. The secret is derived from the id.
create table webhooks.receiver (
    webhook_id  bigint      primary key,
    seller_id   bigint      not null,
    slot        smallint    not null check (slot between 1 and 10),
    url         text        not null,
    events      text[]      not null check (cardinality(events) > 0),
    made_at     timestamptz not null,
    -- since when it has said that it is gone (410): nothing more is sent
    gone_at     timestamptz,
    unique (seller_id, slot)
);

-- The bytes that are sent, each time the same. `subject`: what they are about, of which the next waits for this one.
create table webhooks.delivery (
    delivery_id     bigint      primary key,
    webhook_id      bigint      not null references webhooks.receiver on delete cascade,
    reference       text        not null,
    subject         bigint      not null,
    event           text        not null,
    body            text        not null,
    made_at         timestamptz not null,
    status          text        not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
    tries           integer     not null default 0,
    due_at          timestamptz,
    tried_at        timestamptz,
    response_status integer,
    failure         text        not null default '',
    unique (webhook_id, reference),
    constraint pending_is_due check ((status = 'pending') = (due_at is not null))
);
create index delivery_due on webhooks.delivery (due_at) where status = 'pending';
create index delivery_waiting on webhooks.delivery (webhook_id, subject, delivery_id) where status = 'pending';
create index delivery_of on webhooks.delivery (webhook_id, delivery_id desc);
