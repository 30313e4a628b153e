-- name: slot_exists(slot)
select exists (select from pg_replication_slots where slot_name = :slot::text);

-- name: open_slot(slot)
select pg_create_logical_replication_slot(:slot::text::name, 'pgoutput');

-- name: forget_place
-- A place that our write-ahead log has not reached is one in another server's, which a dump brought along.
update events.relayed set commit = '0/0', facts = 0 where commit > pg_current_wal_insert_lsn();

-- name: wal_written
-- How far the write-ahead log is, in bytes.
select (pg_current_wal_lsn() - '0/0')::bigint;

-- name: wal_reached
-- How far a database that follows has come in it; nothing of one that follows nobody.
select (pg_last_wal_replay_lsn() - '0/0')::bigint where pg_is_in_recovery();

-- name: relayed
select commit::text, facts, last_id, closed from events.relayed;

-- name: partitions
select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'events.log'::regclass order by c.relname;

-- name: append(ids, kinds, bodies, commit, facts, last_id)
-- Facts and how far the relay has got, in one transaction: what the log holds is never appended again.
-- Followers in other processes hear of it.
with appended as (
    insert into events.log (id, kind, body)
    select * from unnest(:ids::bigint[], :kinds::text[], :bodies::text[])
)
update events.relayed set commit = :commit::text::pg_lsn, facts = :facts, last_id = :last_id
returning pg_notify('mercat_log', last_id::text);

-- name: relayed_of(source)
-- The shop's own database is `main`, whose place is beside the end of the log.
select coalesce(s.commit, case when :source = 'main' then r.commit else '0/0' end)::text,
    coalesce(s.facts, case when :source = 'main' then r.facts else 0 end), r.last_id, r.closed
from events.relayed r left join events.source s on s.name = :source;

-- name: append_of(source, kinds, bodies, commit, facts)
-- The same where several relays append: the row of the log's end gives the numbers, and they wait for it.
with ended as (
    update events.relayed set last_id = last_id + cardinality(:kinds::text[]),
        commit = case when :source = 'main' then :commit::text::pg_lsn else commit end,
        facts = case when :source = 'main' then :facts else facts end
    returning last_id
), reached as (
    insert into events.source as s (name, commit, facts)
    select :source, :commit::text::pg_lsn, :facts where :source <> 'main'
    on conflict (name) do update set commit = excluded.commit, facts = excluded.facts
), appended as (
    insert into events.log (id, kind, body)
    select e.last_id - cardinality(:kinds::text[]) + u.n, u.kind, u.body
    from ended e, unnest(:kinds::text[], :bodies::text[]) with ordinality as u (kind, body, n)
)
select last_id from ended, lateral (select pg_notify('mercat_log', last_id::text)) told;

-- name: places_of_all
select follower, partition, at from events.position;

-- name: note_places(followers, partitions, ats)
insert into events.position (follower, partition, at)
select * from unnest(:followers::text[], :partitions::int[], :ats::bigint[])
on conflict (follower, partition) do update set at = excluded.at;

-- name: read_on(after, last, kinds, most)
select l.id, l.kind, l.body
from events.log l
where l.id > :after and l.id <= :last and l.kind = any(:kinds)
order by l.id
limit :most;

-- name: hold_log
-- Whether PostgreSQL's log is closed; nobody else closes or opens it until the transaction ends.
select closed from events.relayed for update;

-- name: close_log
-- Close PostgreSQL's log, where the one in Kafka begins.
update events.relayed set closed = last_id where closed is null;

-- name: open_log(commit, facts, last_id, kafka_ends)
-- Let PostgreSQL's log go on where Kafka's ends, which is read to there.
update events.relayed set closed = null, before_kafka = closed, kafka_ends = :kafka_ends::bigint[],
    commit = greatest(commit, :commit::text::pg_lsn), last_id = greatest(last_id, :last_id::bigint),
    facts = case when commit < :commit::text::pg_lsn then :facts::integer else facts end
where closed is not null;

-- name: ends_of_logs
-- Where PostgreSQL's log ends for Kafka's to begin, where Kafka's for PostgreSQL's to go on, if it does, and the number
-- before the first partition of that topic.
select coalesce(closed, before_kafka) as closed, kafka_ends as ends, kafka_base as base from events.relayed;

-- name: who_reads_kafka(followers)
select f.name as follower from unnest(:followers::text[]) f (name) where not events.read_kafka(f.name);

-- name: forget_kafka
-- Once all have read it to its end. A log that goes over again begins with another topic, whose partitions have other
-- numbers: the places in the former stay, so that nobody who comes late can take them for new.
with ends as (
    delete from events.ends e using events.relayed r where r.kafka_ends is not null
)
update events.relayed set before_kafka = null, kafka_ends = null, kafka_base = kafka_base + cardinality(kafka_ends)
where kafka_ends is not null;

-- name: database_known
select system_identifier || '/' || current_database() as name, pg_current_wal_flush_lsn()::text as reached
from pg_control_system();

-- name: note_ends(places)
-- Of what is older than an hour the first of each hour stays, as long as Kafka keeps facts.
with forgotten as (
    delete from events.ends e where e.at < now() - interval '8 days' or e.at < now() - interval '1 hour' and exists (
        select from events.ends f where f.at < e.at and f.at >= date_trunc('hour', e.at))
)
insert into events.ends (places) values (:places);

-- name: places(follower)
select partition, at from events.position where follower = :follower;

-- name: move_on(follower, partitions, from, to)
-- Takes the follower from where it read to where it has got to, unless another process was quicker.
select events.move_on(:follower, :partitions::int[], :from::bigint[], :to::bigint[]);

-- name: begin_anew(follower)
delete from events.position where follower = :follower and partition > 0;

-- name: park(follower, id, kind, body, reason)
insert into events.parked (follower, id, kind, body, reason)
values (:follower, :id, :kind, :body, :reason) on conflict do nothing;

-- name: slowest(followers)
-- Where the slowest of them is: at the beginning, as long as one of them has not begun.
select coalesce(min(coalesce(p.at, 0)), 0)
from unnest(:followers::text[]) f (name) left join events.position p on p.follower = f.name and p.partition = 0;

-- name: try_lock(name)
select pg_try_advisory_lock(hashtextextended(:name::text, 0));

-- name: ping
select 1;

-- name: slot_lag(slot)
select coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint
from pg_replication_slots where slot_name = :slot::text;

-- name: lags
-- Of a log in Kafka a place counts, and there are some more of them than facts.
select p.follower, p.at, greatest(coalesce(r.before_kafka, r.last_id) - p.at, 0) + k.behind as behind,
    (select count(*) from events.parked k where k.follower = p.follower) as parked
from (
    select follower, coalesce(max(at) filter (where partition = 0), 0) as at from events.position group by follower
) p cross join events.relayed r cross join lateral (
    select coalesce(sum(greatest(u.place - coalesce(q.at, 0), 0)), 0)::bigint as behind
    from (select places from events.ends order by at desc limit 1) e
    cross join unnest(e.places) with ordinality as u (place, partition)
    left join events.position q on q.follower = p.follower and q.partition = u.partition + r.kafka_base
) k
order by p.follower;

-- name: behind
-- How old the oldest fact is that a follower has not digested.
select follower, coalesce(extract(epoch from now() - events.undigested_since(follower)), 0)::float8 as seconds
from (select distinct follower from events.position) p;

-- name: archive_slot(slot)
select coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint as held, active
from pg_replication_slots where slot_name = :slot::text;

-- name: drop_slot(slot)
select count(pg_drop_replication_slot(slot_name)) from pg_replication_slots where slot_name = :slot::text and not active;

-- name: standing(follower, kinds)
-- Where a follower is, and when the oldest event of its kinds was told that it has not digested. In Kafka nothing has
-- one number: nobody is said to be at the end there, and it is known up to when all was digested.
select case when k.reads then -1 else coalesce(p.at, 0) end as at, least((
    select l.at from events.log l where l.id > coalesce(p.at, 0) and l.kind = any(:kinds) order by l.id limit 1
), case when k.reads then
    coalesce(events.undigested_since(:follower), (select max(at) from events.ends), now())
end) as oldest, now() as now
from events.relayed r cross join lateral (
    select r.closed is not null or not events.read_kafka(:follower) as reads
) k left join events.position p on p.follower = :follower and p.partition = 0;

-- name: lease_number(holder)
-- From the highest on, where the previous release, which leases from the lowest, comes last. It counts four of
-- our numbers as one, so that one is taken with ours.
with free as (
    select n.number
    from events.id_number n join events.worker w on w.number = n.number / 4
    where n.until < now() and n.spent_until < now()
      and (w.holder = 'shared' or w.until < now() and w.spent_until < now())
    order by n.number desc for update skip locked limit 1
), former as (
    update events.worker w set holder = 'shared', until = greatest(w.until, now() + interval '1 minute')
    from free where w.number = free.number / 4
)
update events.id_number n set holder = :holder, until = now() + interval '1 minute'
from free where n.number = free.number
returning n.number;

-- name: keep_number(holder, number, spent_until)
-- Ids may run ahead of the clock in a burst: the lease outlives them.
with kept as (
    update events.id_number
    set spent_until = greatest(spent_until, :spent_until),
        until = greatest(now(), :spent_until) + interval '1 minute'
    where number = :number and holder = :holder
    returning number, until, spent_until
), former as (
    update events.worker w set until = greatest(w.until, k.until), spent_until = greatest(w.spent_until, k.spent_until)
    from kept k where w.number = k.number / 4
)
select number from kept;

-- name: hand_back_number(holder, number, spent_until)
update events.id_number
set until = '-infinity', spent_until = greatest(spent_until, :spent_until), holder = null
where number = :number and holder = :holder;
