-- name: try_lock(lock)
select pg_try_advisory_lock(:lock);

-- name: unlock(lock)
select pg_advisory_unlock(:lock);

-- name: has_schema(name)
select exists (select from pg_namespace where nspname = :name);

-- name: recorded
select service, number, name, checksum from migrations.applied;

-- name: record(service, number, name, checksum)
insert into migrations.applied (service, number, name, checksum)
values (:service, :number, :name, :checksum);

-- name: has_role(role)
select exists (select from pg_roles where rolname = :role);

-- name: here
select h.shard, h.place, lower(r.buckets) as first, upper(r.buckets) as end
from orders.here h left join lateral unnest(h.buckets) r (buckets) on true order by first;

-- name: last_number
select last_value from orders.number;

-- name: has_orders(first, end)
select exists (select from orders.orders where bucket >= :first and bucket < :end);

-- name: become(shard, place, buckets, first_number)
select orders.become_one_of_several(:shard, :place, :buckets::text::int4multirange, :first_number);

-- name: watch_one
-- One trigger that is missing, also of a table that a migration has added; false where none is.
select orders.watch_buckets(1);

-- name: wait_shortly
set local lock_timeout = '1s';
