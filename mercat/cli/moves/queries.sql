-- name: states
select part, way, step from events.move order by changed_at;

-- name: note(part, way, step)
insert into events.move (part, way, step) values (:part, :way, :step)
on conflict (part) do update set way = excluded.way, step = excluded.step, changed_at = now();

-- name: forget(part)
delete from events.move where part = :part;

-- name: log_stands
-- Whether the log goes on in Kafka, and whether Kafka's is read still after it came back.
select closed is not null as in_kafka, kafka_ends is not null as is_read from events.relayed;

-- name: before_kafka(followers)
-- Who of them reads what was told before the log went on in Kafka.
select f.follower from unnest(:followers::text[]) f (follower) cross join events.relayed r
left join events.position p on p.follower = f.follower and p.partition = 0
where coalesce(p.at, 0) < r.closed order by 1;

-- name: in_kafka(followers)
-- Who of them reads Kafka's log, which is closed.
select f.follower from unnest(:followers::text[]) f (follower) where not events.read_kafka(f.follower) order by 1;

-- name: standing
-- Of a server: whether it follows another, which cluster it is of, and whether it takes a slot for the relay.
select pg_is_in_recovery() as follows, (select system_identifier::text from pg_control_system()) as cluster,
    current_setting('wal_level') = 'logical' as logical, exists (select from pg_stat_wal_receiver) as streams;

-- name: written
-- How far the write-ahead log is on disk.
select pg_current_wal_flush_lsn()::text;

-- name: behind_by(lsn)
-- How much of that log, in bytes, a server that follows has not replayed.
select greatest(pg_wal_lsn_diff(:lsn::text::pg_lsn, coalesce(pg_last_wal_replay_lsn(), '0/0')), 0)::bigint;

-- name: slots_to_take_along
-- The relays': from where each reads on.
select slot_name::text as name from pg_replication_slots
where slot_type = 'logical' and plugin = 'pgoutput' and not temporary and database = current_database() order by 1;

-- name: has_slot(name)
select exists (
    select from pg_replication_slots where slot_name = :name::text and invalidation_reason is null and wal_status <> 'lost'
);

-- name: make_slot(name)
select pg_create_logical_replication_slot(:name::text::name, 'pgoutput');

-- name: slot_at(name)
select confirmed_flush_lsn::text from pg_replication_slots where slot_name = :name::text;

-- name: slot_passed(name, lsn)
select confirmed_flush_lsn >= :lsn::text::pg_lsn from pg_replication_slots where slot_name = :name::text;

-- name: drop_slots(names)
select count(pg_drop_replication_slot(slot_name)) from pg_replication_slots
where slot_name = any(:names::text[]) and not active;

-- name: note_snapshot
-- A slot on a server that follows is ready once it has replayed which transactions were open.
select pg_log_standby_snapshot();

-- name: is_read_only
-- Of the sessions that begin from now on.
select current_setting('default_transaction_read_only') = 'on';

-- name: kept_out
-- Whether the server keeps writers out, whatever this session may.
select coalesce(reset_val = 'on', false) from pg_settings where name = 'default_transaction_read_only';

-- name: still_writing
select count(*) from pg_stat_activity
where backend_type = 'client backend' and backend_xid is not null and pid <> pg_backend_pid()
    and datname = current_database();

-- name: end_sessions
select count(pg_terminate_backend(pid)) from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid() and datname = current_database();

-- name: other_databases
-- What else a server has that keeps writers out: it does so for all.
select datname::text as name from pg_database
where not datistemplate and datname not in (current_database(), 'postgres') order by 1;

-- name: size_of_all
-- Of the files that a copy has, and of the log.
select ((select sum(pg_database_size(oid)) from pg_database) + (select sum(size) from pg_ls_waldir()))::bigint;

-- name: kept_back
-- How much log a server keeps for one that follows, in bytes; no row where there is no such slot.
select coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint as bytes
from pg_replication_slots where slot_name = 'mercat_back';

-- name: last_word
-- The last that is written where the database was. Where it stands too, everything before it does.
update events.move set changed_at = clock_timestamp() where part = 'database' returning changed_at;

-- name: last_word_read
select changed_at from events.move where part = 'database';

-- name: has_moved_there
select exists (select from events.move where part = 'database' and way = 'there' and step = 'moved');

-- name: note_left
-- Written where the database is no more, and there alone: a dump from where it is says `there`, and may be restored.
insert into events.move (part, way, step) values ('database', 'back', 'moved')
on conflict (part) do update set way = excluded.way, step = excluded.step, changed_at = now();

-- name: was_left
select exists (select from events.move where part = 'database' and way = 'back' and step = 'moved');

-- name: promote
select pg_promote(true, 60);
