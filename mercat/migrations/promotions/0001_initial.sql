-- Change: what may be taken off prices, and who used it.
-- Previous release: does not know this schema.

create schema promotions;

-- `rule`: when it holds and what it does then. `seller_id`: whose it is; the shop's without. `has_codes`: it needs
-- one of its codes. `uses` and `spent` are the sum of its redemptions, where anything of it is limited.
create table promotions.promotion (
    promotion_id bigint      primary key,
    seller_id    bigint,
    name         text        not null,
    code         text,
    has_codes    boolean     not null,
    rule         json        not null,
    starts_at    timestamptz,
    ends_at      timestamptz,
    combines     boolean     not null,
    by_seller    boolean     not null,
    priority     integer     not null,
    uses_max     integer,
    person_max   integer,
    budget       bigint,
    uses         integer     not null default 0 check (uses >= 0),
    spent        bigint      not null default 0 check (spent >= 0),
    created_at   timestamptz not null,
    deleted_at   timestamptz,
    constraint promotion_ends_after_it_starts check (ends_at > starts_at),
    constraint uses_within_limit check (uses <= uses_max),
    constraint spent_within_budget check (spent <= budget)
) with (fillfactor = 70);
create index promotion_of_seller on promotions.promotion (seller_id, promotion_id);

-- Codes in the form in which they are compared, and as they are shown. One that is for a single use belongs to the
-- checkout that used it.
create table promotions.code (
    code         text        primary key,
    shown        text        not null,
    promotion_id bigint      not null references promotions.promotion,
    single_use   boolean     not null,
    checkout_id  bigint
);
create index code_of_promotion on promotions.code (promotion_id, code);

-- One row a checkout, kept for ever: an answer is an answer. A tombstone (given back, of nothing) makes a late
-- redemption refused. `persons`: as whom its buyer is counted.
create table promotions.redemption (
    checkout_id   bigint      primary key,
    order_id      bigint      not null,
    state         text        not null check (state in ('used', 'refused', 'given_back')),
    promotion_ids bigint[]    not null,
    amounts       bigint[]    not null,
    codes         text[]      not null,
    persons       text[]      not null,
    refusal       json,
    because       text        not null default '',
    at            timestamptz not null,
    given_back_at timestamptz,
    check (cardinality(promotion_ids) = cardinality(amounts) and cardinality(codes) = cardinality(amounts))
) with (fillfactor = 70);
create index redemption_of_order on promotions.redemption (order_id);
create index redemption_of_person on promotions.redemption using gin (persons);

-- How often somebody used what is limited by person; under promotion 0, what is for a first order.
create table promotions.person_use (
    promotion_id bigint  not null,
    person       text    not null,
    uses         integer not null check (uses >= 0),
    most         integer not null,
    primary key (promotion_id, person),
    constraint person_within_limit check (uses <= most)
) with (fillfactor = 70);

-- Who has bought, and their first order that is known.
create table promotions.buyer (
    person   text   primary key,
    order_id bigint not null
);
create index buyer_by_order on promotions.buyer (order_id);

-- Groups of people, as operators set them.
create table promotions.member (
    user_id bigint not null,
    name    text   not null,
    primary key (user_id, name)
);
