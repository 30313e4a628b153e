-- name: identity
-- Which of the databases of orders it is, and what its schemas have had.
select h.shard, (
    select string_agg(a.service || a.number || a.checksum, ' ' order by a.service, a.number)
    from migrations.applied a where a.service in ('events', 'orders')) as version
from orders.here h;

-- name: buckets
-- Nothing of a database that is new: it has been given nothing yet.
select generate_series(lower(r.buckets), upper(r.buckets) - 1) as bucket
from orders.here h, unnest(h.buckets) r (buckets)
where h.shard is not null order by 1;

-- name: has(bucket)
select exists (select from orders.here where buckets @> :bucket::int);

-- name: moves
-- Those of all buckets, with how long ago that was so.
select bucket, state, other, back, came_from, extract(epoch from now() - at)::float8 as since_s from orders.moving order by bucket;

-- name: move_of(bucket)
select bucket, state, other, back, came_from, extract(epoch from now() - at)::float8 as since_s
from orders.moving where bucket = :bucket::int;

-- name: kept
-- The tables that are cut by bucket, what else their keys have, and their columns.
select k.name, k.key, array_agg(a.attname::text order by a.attnum) as columns
from orders.kept_by_bucket() k
join pg_attribute a on a.attrelid = k.relid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
group by 1, 2 order by 2, 1;

-- name: fence
-- Writers that have begun end first, and others wait for us: they read the row for share. A lock of the row would be
-- starved by those who share it.
lock table orders.here in exclusive mode;

-- name: stand_still
-- The follower of this database goes on when we have done.
select partition from events.position where follower = 'orders' order by partition for update;

-- name: leave(bucket, other, back)
-- Under the fence: from here on is noted what is written of the bucket. Nothing where it is not here.
with leaving as (
    update orders.here set leaving = leaving + int4multirange(int4range(:bucket::int, :bucket::int + 1))
    where buckets @> :bucket::int returning true
)
insert into orders.moving as m (bucket, state, other, back)
select :bucket::int, 'leaving', :other::text, :back::boolean from leaving
on conflict (bucket) do update set state = excluded.state, other = excluded.other, back = excluded.back, places = null,
    at = now()
returning true;

-- name: stay(bucket)
with left_off as (
    update orders.here set leaving = leaving - int4multirange(int4range(:bucket::int, :bucket::int + 1))
), unnoted as (
    delete from orders.changed where bucket = :bucket::int
)
update orders.moving set state = 'arrived', other = coalesce(came_from, other), back = false, at = now()
where bucket = :bucket::int and state = 'leaving';

-- name: come(bucket, other, back)
insert into orders.moving as m (bucket, state, other, back)
select :bucket::int, 'coming', :other::text, :back::boolean where not exists (select from orders.here where buckets @> :bucket::int)
on conflict (bucket) do update set state = excluded.state, other = excluded.other, back = excluded.back, came_from = null,
    places = null, at = now();

-- name: come_still(bucket)
-- Holds off whoever would take or drop it meanwhile.
select true from orders.moving where bucket = :bucket::int and state = 'coming' for update;

-- name: drop(bucket)
-- What is here is a copy that nobody needs. Nothing where it was taken before.
update orders.moving set state = 'dropped', places = null, at = now()
where bucket = :bucket::int and state in ('coming', 'ready') returning true;

-- name: followed
-- How far the follower of this database has got. It moves with what it has done, for the buckets that were here.
select coalesce(json_object_agg(partition, at), '{}')::text from events.position where follower = 'orders';

-- name: ready(bucket, places)
update orders.moving set state = 'ready', places = :places::json, at = now()
where bucket = :bucket::int and state = 'coming' returning true;

-- name: unready(bucket)
update orders.moving set state = 'coming', places = null, at = now() where bucket = :bucket::int and state = 'ready';

-- name: give(bucket, places)
-- Under the fence.
with given as (
    update orders.here set buckets = buckets - int4multirange(int4range(:bucket::int, :bucket::int + 1)),
        leaving = leaving - int4multirange(int4range(:bucket::int, :bucket::int + 1))
    where buckets @> :bucket::int returning true
), unnoted as (
    delete from orders.changed where bucket = :bucket::int
)
update orders.moving set state = 'gone', places = :places::json, at = now()
from given where bucket = :bucket::int and state = 'leaving' returning true;

-- name: take(bucket, from_state, other)
-- Under the fence. `ready`: what came is taken; `gone`: what was given is taken back. The follower here goes back to where
-- the former owner's was: what it passed by meanwhile was nobody's. It may see an event twice, which
-- changes nothing.
with taken as (
    update orders.moving set state = 'arrived', places = null, at = now(),
        came_from = case when :from_state = 'gone' then came_from when not back then other end,
        other = case when :from_state = 'gone' then coalesce(came_from, other) else other end, back = false
    where bucket = :bucket::int and state = :from_state and other = :other returning old.places as places
), gone_back as (
    update events.position p set at = least(p.at, coalesce((t.places ->> p.partition::text)::bigint, 0))
    from taken t where p.follower = 'orders'
)
update orders.here set buckets = buckets + int4multirange(int4range(:bucket::int, :bucket::int + 1)) from taken returning true;

-- name: changes(bucket, most)
select change_id, key, id from orders.changed where bucket = :bucket::int order by change_id limit :most;

-- name: forget_changes(change_ids)
delete from orders.changed where change_id = any(:change_ids::bigint[]);

-- name: elsewhere(bucket)
-- Keeps the bucket from coming back as long as this transaction lasts.
select true from orders.here where not buckets @> :bucket::int for share;

-- name: cleared(bucket)
delete from orders.moving where bucket = :bucket::int and state in ('gone', 'dropped');

-- name: mark(kind)
select pg_logical_emit_message(true, :kind::text, '');

-- name: written
select pg_current_wal_insert_lsn()::text;

-- name: told(slot, written)
select confirmed_flush_lsn >= :written::text::pg_lsn from pg_replication_slots where slot_name = :slot::text;
