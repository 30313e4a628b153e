-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema flashsale;

-- A sale of so many units of one offer. `taken` counts units promised to somebody's turn, or sold; what is promised is
-- held for that person alone, so whoever has a pass can buy. The one releaser moves `serving`, `joined`, `pace`.
create table flashsale.sale (
    sale_id      text        primary key check (sale_id ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    offer_id     bigint      not null,
    product_id   bigint      not null,
    title        text        not null,
    units        integer     not null check (units > 0),
    taken        integer     not null default 0,
    sold         integer     not null default 0,
    per_person   smallint    not null default 1 check (per_person between 1 and 100),
    per_card     smallint    check (per_card > 0),
    per_address  smallint    check (per_address > 0),
    queue        boolean     not null default true,
    members_only boolean     not null default false,
    rate         real        not null default 100 check (rate between 0 and 100000),
    ceiling      integer     not null default 1000 check (ceiling > 0),
    window_s     integer     not null default 300 check (window_s between 1 and 86400),
    commitment   bytea       not null,
    seed         bytea       not null check (sha256(seed) = commitment),
    starts_at    timestamptz not null,
    ends_at      timestamptz check (ends_at > starts_at),
    state        text        not null default 'planned' check (state in ('planned', 'open', 'paused', 'ended')),
    drawn        integer,
    roll         bytea,
    serving      integer     not null default 0,
    joined       integer     not null default 0,
    pace         real        not null default 1 check (pace between 0 and 1),
    switched_off text[]      not null default '{}',
    made_at      timestamptz not null default now(),
    opened_at    timestamptz,
    sold_out_at  timestamptz,
    ended_at     timestamptz,
    constraint sale_never_oversold check (0 <= sold and sold <= taken and taken <= units),
    constraint drawn_before_opened check (state in ('planned', 'ended') or drawn is not null and roll is not null)
) with (fillfactor = 50);
create unique index one_sale_an_offer on flashsale.sale (offer_id) where state <> 'ended';

-- Who stands in line: the number in which they came. The place is that number, or, for those who came before the
-- start, where the draw put it (rules.py).
create table flashsale.ticket (
    sale_id   text        not null,
    number    integer     not null check (number > 0),
    user_id   bigint      not null,
    owner_id  bigint,     -- whose it is since a guest signed in; the list of the drawn names who joined
    joined_at timestamptz not null default now(),
    primary key (sale_id, number)
);

-- Somebody's turn: so many units are theirs until then. Unused it lapses, once, and its units go to the next.
create table flashsale.turn (
    sale_id     text        not null,
    place       integer     not null,
    number      integer     not null,
    user_id     bigint      not null,
    units       smallint    not null check (units > 0),
    state       text        not null default 'issued' check (state in ('issued', 'claimed', 'used', 'lapsed')),
    released_at timestamptz not null,
    until       timestamptz not null,
    checkout_id bigint      unique,
    quantity    smallint,
    card        text,
    address     text,
    claimed_at  timestamptz,
    settled_at  timestamptz,
    primary key (sale_id, place),
    constraint a_turn_used_was_claimed check (state not in ('claimed', 'used') or checkout_id is not null),
    constraint within_the_promise check (quantity between 1 and units)
) with (fillfactor = 50);
create unique index one_turn_a_person on flashsale.turn (sale_id, user_id) where state <> 'lapsed';
create index turns_of on flashsale.turn (user_id, sale_id);
create index turns_issued on flashsale.turn (sale_id, until) where state = 'issued';
create index turns_claimed on flashsale.turn (sale_id, place) where state = 'claimed';

create table flashsale.certificate (
    sale_id text        primary key,
    body    json        not null,
    made_at timestamptz not null default now()
);

-- What operators did, and why.
create table flashsale.action (
    action_id bigint      generated always as identity primary key,
    sale_id   text        not null,
    at        timestamptz not null default now(),
    who       text        not null,
    what      text        not null,
    amount    integer,
    why       text        not null check (why ~ '\S')
);
create index actions_of on flashsale.action (sale_id, action_id desc);
