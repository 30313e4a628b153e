-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema orders;

-- `refused` is a tombstone: a create that comes later is refused. Only what was once confirmed is shown.
create table orders.orders (
    bucket      smallint    not null,
    order_id    bigint      not null,
    user_id     bigint      not null,
    checkout_id bigint      not null,
    cart_id     bigint      not null,
    status      text        not null
        check (status in ('confirmed', 'partially_shipped', 'shipped', 'delivered', 'cancelled', 'refused')),
    email       text        not null default '',
    subtotal    bigint      not null default 0 check (subtotal >= 0),
    discount    bigint      not null default 0 check (discount >= 0),
    shipping    bigint      not null default 0 check (shipping >= 0),
    tax         bigint      not null default 0 check (tax >= 0),
    total       bigint      not null default 0,
    currency    text        not null default 'USD',
    rounding    text        not null default 'half_up',
    prices_include_tax boolean not null default false,
    shipping_method text    not null default '',
    estimated_delivery date,
    address     json        not null default '{}',
    placed_at   timestamptz not null,
    primary key (bucket, order_id),
    constraint total_adds_up check (
        total = subtotal - discount + shipping + case when prices_include_tax then 0 else tax end)
) with (fillfactor = 85);
create index orders_of_user on orders.orders (bucket, user_id, order_id desc);
create index orders_newest on orders.orders (order_id desc);
-- Of these there are few, or few in a stretch of time: they are not found by looking at all.
create index orders_seldom on orders.orders (status, order_id desc)
    where status in ('partially_shipped', 'shipped', 'cancelled');

create table orders.line (
    bucket        smallint not null,
    order_id      bigint   not null,
    order_line_id bigint   not null,
    product_id    bigint   not null,
    offer_id      bigint   not null,
    seller_id     bigint   not null,
    title         text     not null,
    image_url     text     not null default '',
    quantity      integer  not null check (quantity > 0),
    shipped       integer  not null default 0 check (shipped between 0 and quantity),
    delivered     integer  not null default 0 check (delivered between 0 and shipped),
    returned      integer  not null default 0 check (returned between 0 and shipped),
    unit_price    bigint   not null check (unit_price >= 0),
    total         bigint   not null,
    primary key (bucket, order_id, order_line_id),
    constraint line_adds_up check (total = unit_price * quantity)
) with (fillfactor = 85);

-- What happened after an order was placed, by whom; a reference happens once.
create table orders.history (
    bucket    smallint    not null,
    order_id  bigint      not null,
    reference text        not null,
    what      text        not null,
    who       text        not null,
    detail    jsonb       not null default '{}',
    at        timestamptz not null default now(),
    primary key (bucket, order_id, reference)
);
