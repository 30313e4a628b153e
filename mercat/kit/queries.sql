-- name: slot_exists
select exists (select from pg_replication_slots where slot_name = $1::text);

-- name: open_slot
select pg_create_logical_replication_slot($1::text::name, 'pgoutput');

-- name: relayed
select commit::text, facts, last_id from events.relayed;

-- name: partitions
select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'events.log'::regclass order by c.relname;

-- name: append
-- Facts and how far the relay has got, in one transaction: what the log holds is never appended again.
with appended as (
    insert into events.log (id, kind, body)
    select * from unnest($1::bigint[], $2::text[], $3::text[])
)
update events.relayed set commit = $4::text::pg_lsn, facts = $5, last_id = $6;

-- name: read_on
select l.id, l.kind, l.body
from events.log l
where l.id > $1 and l.id <= $2 and l.kind = any($3)
order by l.id
limit $4;

-- name: position
select coalesce((select at from events.position where follower = $1), 0);

-- name: move_on
-- Takes the follower from where it read to where it has got to, unless another process was quicker.
select events.move_on($1, $2, $3);

-- name: park
insert into events.parked (follower, id, kind, body, reason)
values ($1, $2, $3, $4, $5) on conflict do nothing;

-- name: slowest
select min(at) from events.position where follower = any($1);

-- name: slot_lag
select coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint
from pg_replication_slots where slot_name = $1::text;

-- name: lags
select p.follower, p.at, r.last_id - p.at as behind, (select count(*) from events.parked k where k.follower = p.follower) as parked
from events.position p cross join events.relayed r
order by p.follower;

-- name: lease_worker
update events.worker set holder = $1, until = now() + interval '1 minute'
where number = (
    select number from events.worker
    where until < now() and spent_until < now()
    order by number for update skip locked limit 1
)
returning number;

-- name: keep_worker
update events.worker set until = now() + interval '1 minute', spent_until = greatest(spent_until, $3)
where number = $2 and holder = $1
returning number;

-- name: hand_back_worker
update events.worker set until = '-infinity', spent_until = greatest(spent_until, $3), holder = null
where number = $2 and holder = $1;
