-- Change: buckets of orders move between databases. Each says which of its buckets are being copied away and notes what
--     is written of them meanwhile, where those that came are from, and which of its rows are another's by now.
-- Previous release: writes as before, and what it writes is noted too. It lists orders twice while they are in two
--     databases, so no bucket is moved before all processes are of this release.

alter table orders.here add column leaving int4multirange not null default '{}';

-- A bucket has a row where it is going away or gone, and where it is coming, ready to be taken, or has come.
create table orders.moving (
    bucket    smallint    primary key check (bucket between 0 and 1023),
    state     text        not null check (state in ('leaving', 'gone', 'coming', 'ready', 'arrived', 'dropped')),
    other     text        not null,  -- the database where it goes, or from where it comes
    back      boolean     not null default false,  -- it goes, or comes, back
    came_from text,                  -- the database that had it before this one, unless it came back
    places    json,                  -- of a ready one: how far that database has followed the log for it
    at        timestamptz not null default now()
);

-- What was written of buckets that are being copied away; `key` is the second column of the table's key.
create table orders.changed (
    change_id bigint   generated always as identity primary key,
    bucket    smallint not null,
    key       text     not null,
    id        bigint   not null
);
create index changed_of_bucket on orders.changed (bucket, change_id);

-- The tables that are cut by bucket: their key begins with it, and goes on with what is moved as one.
create function orders.kept_by_bucket() returns table (relid oid, name text, key text) language sql stable as $$
    select c.oid, c.relname::text, k.attname::text
    from pg_constraint p
    join pg_class c on c.oid = p.conrelid
    join pg_attribute b on b.attrelid = c.oid and b.attnum = p.conkey[1] and b.attname = 'bucket'
    join pg_attribute k on k.attrelid = c.oid and k.attnum = p.conkey[2]
    where p.contype = 'p' and c.relnamespace = 'orders'::regnamespace
    order by 2
$$;

create or replace function orders.refuse_elsewhere() returns trigger language plpgsql as $$
declare
    mine   int4multirange;
    copied int4multirange;
begin
    select buckets, leaving into mine, copied from orders.here for share;
    perform from written w where not mine @> w.bucket::int;
    if found then
        raise exception 'these orders are not here' using errcode = 'no_data_found';
    end if;
    if copied <> '{}' then
        insert into orders.changed (bucket, key, id)
        select distinct w.bucket, k.key, (to_jsonb(w) ->> k.key)::bigint
        from written w join orders.kept_by_bucket() k on k.relid = tg_relid
        where copied @> w.bucket::int;
    end if;
    return null;
end
$$;

-- Makes what is missing of the triggers by which a database of several refuses and notes, or so many of them, and says
-- whether there was any. Each locks its table until the transaction ends.
create function orders.watch_buckets(most int default null) returns boolean language plpgsql as $$
declare
    kept record;
begin
    for kept in select k.name, v.verb, v.rows from orders.kept_by_bucket() k, (
        values ('insert', 'new'), ('update', 'new'), ('delete', 'old')) as v (verb, rows)
        where not exists (select from pg_trigger t where t.tgrelid = k.relid and t.tgname = v.verb || '_here')
        order by 1, 2 limit most
    loop
        execute format('create trigger %I after %s on orders.%I referencing %s table as written '
            'for each statement execute function orders.refuse_elsewhere()',
            kept.verb || '_here', kept.verb, kept.name, kept.rows);
    end loop;
    return found;
end
$$;

create or replace function orders.become_one_of_several(shard_ text, place_ int, buckets_ int4multirange,
    first_number bigint) returns void language plpgsql as $$
begin
    update orders.here set shard = shard_, place = place_, buckets = buckets_;
    execute format('alter sequence orders.number increment by 64 restart with %s', first_number);
    perform orders.watch_buckets();
end
$$;
