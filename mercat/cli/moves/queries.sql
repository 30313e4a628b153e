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
