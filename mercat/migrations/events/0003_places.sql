-- Change: a follower has a place in each partition of the log, so that the log can be in Kafka; PostgreSQL's own is
-- partition 0. It can be closed, how far Kafka's goes is written down, and what a follower has not digested is asked
-- in one place.
-- Previous release: names its columns, and its places are those of partition 0, by the function that it knows.

alter table events.position add column partition integer not null default 0;
alter table events.position drop constraint position_pkey, add primary key (follower, partition);

-- Once the log goes on in Kafka nothing is appended here, whatever release tries.
alter table events.relayed add column closed bigint, add constraint closed_is_the_end check (closed = last_id);

-- Where the partitions 1, 2, … ended at a time, for people and the audit.
create table events.ends (
    at     timestamptz primary key default now(),
    places bigint[] not null
);

create or replace function events.move_on(follower_ text, from_ bigint, to_ bigint) returns boolean
    language sql security definer set search_path = events as $$
    insert into events.position as p (follower, at) values (follower_, to_)
    on conflict (follower, partition) do update set at = excluded.at where p.at = from_
    returning true;
$$;

-- Whether it moved in all of them; where not, the caller rolls back.
create function events.move_on(follower_ text, partitions int[], from_ bigint[], to_ bigint[]) returns boolean
    language sql security definer set search_path = events as $$
    with asked as (
        select * from unnest(partitions, from_, to_) as u (partition, was, at) order by partition
    ), moved as (
        insert into events.position as p (follower, partition, at) select follower_, partition, at from asked
        on conflict (follower, partition) do update set at = excluded.at
        where p.at = (select was from asked where asked.partition = p.partition)
        returning 1
    )
    select count(*) = cardinality(partitions) from moved;
$$;

-- When the oldest fact was told that a follower has not digested; null: it has digested all.
create function events.undigested_since(follower_ text) returns timestamptz
    language sql stable set search_path = events as $$
    select least((
        select l.at from events.log l where l.id > coalesce((
            select p.at from events.position p where p.follower = follower_ and p.partition = 0), 0)
        order by l.id limit 1
    ), (
        select e.at from events.ends e where exists (
            select from unnest(e.places) with ordinality as u (place, partition)
            left join events.position p on p.follower = follower_ and p.partition = u.partition
            where u.place > coalesce(p.at, 0))
        order by e.at limit 1
    ));
$$;

-- Whether a follower has digested whatever was told more than a minute ago, and the relay is not behind.
create function events.has_followed(follower_ text) returns boolean language sql stable set search_path = events as $$
    select coalesce(events.undigested_since(follower_) >= now() - interval '1 minute', true)
        and not exists (
            select from pg_replication_slots where slot_name = 'mercat'
                and pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) > 64 * 1024 * 1024
        );
$$;
