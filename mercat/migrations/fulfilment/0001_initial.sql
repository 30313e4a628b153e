-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema fulfilment;

create table fulfilment.shipment (
    shipment_id     bigint      primary key,
    order_id        bigint      not null,
    user_id         bigint      not null,
    seller_id       bigint      not null,
    carrier         text        not null,
    tracking_number text        not null,
    status          text        not null
        check (status in ('shipped', 'in_transit', 'out_for_delivery', 'delivered', 'exception')),
    reached         smallint    not null default 1,
    location        text        not null default '',
    version         integer     not null default 1,
    lines           jsonb       not null,
    opened_at       timestamptz not null default now()
);
create index shipment_order on fulfilment.shipment (order_id);

create table fulfilment.event (
    shipment_id bigint      not null references fulfilment.shipment,
    version     integer     not null,
    status      text        not null,
    location    text        not null default '',
    at          timestamptz not null,
    primary key (shipment_id, version)
);

-- What each seller has to do for an order, told by the facts of buying.
create table fulfilment.seller_order (
    seller_id  bigint      not null,
    order_id   bigint      not null,
    placed_at  timestamptz not null,
    status     text        not null default 'to_ship'
        check (status in ('to_ship', 'partially_shipped', 'shipped', 'delivered', 'cancelled')),
    currency   text        not null,
    lines      jsonb       not null,
    address    jsonb       not null,
    estimated_delivery text not null default '',
    primary key (seller_id, order_id)
);
create index seller_order_of on fulfilment.seller_order (order_id);
