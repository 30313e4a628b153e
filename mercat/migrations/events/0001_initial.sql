-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema events;

-- Only the relay writes here, so ids are in the order in which transactions committed.
create table events.log (
    id    bigint not null,
    kind  text   not null,
    body  text   not null,
    at    timestamptz not null default now(),
    primary key (id)
) partition by range (id);

-- How far the relay has got: the last commit it appended from, and how many of its facts.
create table events.relayed (
    one     boolean primary key default true check (one),
    commit  pg_lsn  not null,
    facts   integer not null,
    last_id bigint  not null
);
insert into events.relayed (commit, facts, last_id) values ('0/0', 0, 0);

create table events.position (
    follower  text   primary key,
    at        bigint not null
);

create table events.parked (
    follower  text        not null,
    id        bigint      not null,
    kind      text        not null,
    body      text        not null,
    reason    text        not null,
    at        timestamptz not null default now(),
    primary key (follower, id)
);

-- Worker numbers for ids: leased for a minute, and not given again before the clock has passed the last id made.
create table events.worker (
    number      smallint primary key check (number between 0 and 63),
    holder      text,
    until       timestamptz not null default '-infinity',
    spent_until timestamptz not null default '-infinity'
);
insert into events.worker (number) select generate_series(0, 63);

create publication relay;  -- of no table: the slot carries messages only

-- Every service may tell, and move its own position; none may touch the log itself.
create function events.tell(kind text, body jsonb) returns pg_lsn language sql
    return pg_logical_emit_message(true, kind, body::text);

create function events.tell_json(kind text, body text) returns pg_lsn language sql
    return pg_logical_emit_message(true, kind, body);

create function events.move_on(follower_ text, from_ bigint, to_ bigint) returns boolean
    language sql security definer set search_path = events as $$
    insert into events.position as p (follower, at) values (follower_, to_)
    on conflict (follower) do update set at = excluded.at where p.at = from_
    returning true;
$$;
