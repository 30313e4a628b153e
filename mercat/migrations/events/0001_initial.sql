create schema if not exists events;

-- Only the relay writes here, so ids are in the order in which transactions committed.
create table if not exists events.log (
    id    bigint not null,
    kind  text   not null,
    body  text   not null,
    at    timestamptz not null default now(),
    primary key (id)
) partition by range (id);

-- How far the relay has got: the last commit it appended from, and how many of its facts.
create table if not exists events.relayed (
    one     boolean primary key default true check (one),
    commit  pg_lsn  not null,
    facts   integer not null,
    last_id bigint  not null
);
insert into events.relayed (commit, facts, last_id) values ('0/0', 0, 0) on conflict do nothing;

create table if not exists events.position (
    follower  text   primary key,
    at        bigint not null
);

create table if not exists events.parked (
    follower  text        not null,
    id        bigint      not null,
    kind      text        not null,
    body      text        not null,
    reason    text        not null,
    at        timestamptz not null default now(),
    primary key (follower, id)
);

-- Worker numbers for ids: leased for a minute, and not given again before the clock has passed the last id made.
create table if not exists events.worker (
    number      smallint primary key check (number between 0 and 63),
    holder      text,
    until       timestamptz not null default '-infinity',
    spent_until timestamptz not null default '-infinity'
);
insert into events.worker (number) select generate_series(0, 63) on conflict do nothing;

do $$ begin
    if not exists (select from pg_publication where pubname = 'relay') then
        create publication relay;  -- of no table: the slot carries messages only
    end if;
end $$;

-- Every service may tell, and move its own position; none may touch the log itself.
create or replace function events.tell(kind text, body jsonb) returns pg_lsn language sql
    return pg_logical_emit_message(true, kind, body::text);

create or replace function events.tell_json(kind text, body text) returns pg_lsn language sql
    return pg_logical_emit_message(true, kind, body);

create or replace function events.move_on(follower_ text, from_ bigint, to_ bigint) returns boolean
    language sql security definer set search_path = events as $$
    insert into events.position as p (follower, at) values (follower_, to_)
    on conflict (follower) do update set at = excluded.at where p.at = from_
    returning true;
$$;
