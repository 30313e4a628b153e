-- name: slot_exists(slot)
select exists (select from pg_replication_slots where slot_name = :slot::text);

-- name: open_slot(slot)
select pg_create_logical_replication_slot(:slot::text::name, 'pgoutput');

-- name: relayed
select commit::text, facts, last_id from events.relayed;

-- name: partitions
select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'events.log'::regclass order by c.relname;

-- name: append(ids, kinds, bodies, commit, facts, last_id)
-- Facts and how far the relay has got, in one transaction: what the log holds is never appended again.
with appended as (
    insert into events.log (id, kind, body)
    select * from unnest(:ids::bigint[], :kinds::text[], :bodies::text[])
)
update events.relayed set commit = :commit::text::pg_lsn, facts = :facts, last_id = :last_id;

-- name: read_on(after, last, kinds, most)
select l.id, l.kind, l.body
from events.log l
where l.id > :after and l.id <= :last and l.kind = any(:kinds)
order by l.id
limit :most;

-- name: position(follower)
select coalesce((select at from events.position where follower = :follower), 0);

-- name: move_on(follower, from, to)
-- Takes the follower from where it read to where it has got to, unless another process was quicker.
select events.move_on(:follower, :from, :to);

-- name: park(follower, id, kind, body, reason)
insert into events.parked (follower, id, kind, body, reason)
values (:follower, :id, :kind, :body, :reason) on conflict do nothing;

-- name: slowest(followers)
select min(at) from events.position where follower = any(:followers);

-- name: slot_lag(slot)
select coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint
from pg_replication_slots where slot_name = :slot::text;

-- name: lags
select p.follower, p.at, r.last_id - p.at as behind, (select count(*) from events.parked k where k.follower = p.follower) as parked
from events.position p cross join events.relayed r
order by p.follower;

-- name: lease_worker(holder)
update events.worker set holder = :holder, until = now() + interval '1 minute'
where number = (
    select number from events.worker
    where until < now() and spent_until < now()
    order by number for update skip locked limit 1
)
returning number;

-- name: keep_worker(holder, number, spent_until)
update events.worker set until = now() + interval '1 minute', spent_until = greatest(spent_until, :spent_until)
where number = :number and holder = :holder
returning number;

-- name: hand_back_worker(holder, number, spent_until)
update events.worker set until = '-infinity', spent_until = greatest(spent_until, :spent_until), holder = null
where number = :number and holder = :holder;
