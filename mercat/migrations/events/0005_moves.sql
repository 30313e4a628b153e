-- Change: how far each part of a shop has moved to engines elsewhere, or back; and the log can come back from Kafka:
-- where PostgreSQL's had ended, and where Kafka's ends that is read before it goes on.
-- Previous release: does not know the table; names its columns, and its log stays where it is.

create table events.move (
    part       text        primary key,
    way        text        not null check (way in ('there', 'back')),
    step       text        not null check (step in ('filling', 'switching', 'moved')),
    changed_at timestamptz not null default now()
);

-- `kafka_base`: the number before that of the topic's first partition; each topic has numbers of its own.
alter table events.relayed
    add column before_kafka bigint,
    add column kafka_ends bigint[],
    add column kafka_base integer not null default 0,
    add constraint comes_back_whole check (
        (before_kafka is null) = (kafka_ends is null) and (kafka_ends is null or closed is null));

-- Whether a follower has read of Kafka's log what was there when PostgreSQL's went on.
create function events.read_kafka(follower_ text) returns boolean
    language sql stable set search_path = events as $$
    select not exists (
        select from relayed r cross join unnest(r.kafka_ends) with ordinality as u (place, partition)
        left join position p on p.follower = follower_ and p.partition = u.partition + r.kafka_base
        where u.place > coalesce(p.at, 0));
$$;

create or replace function events.undigested_since(follower_ text) returns timestamptz
    language sql stable set search_path = events as $$
    select least((
        select l.at from events.log l where l.id > coalesce((
            select p.at from events.position p where p.follower = follower_ and p.partition = 0), 0)
        order by l.id limit 1
    ), (
        select e.at from events.ends e where exists (
            select from unnest(e.places) with ordinality as u (place, partition) cross join events.relayed r
            left join events.position p on p.follower = follower_ and p.partition = u.partition + r.kafka_base
            where u.place > coalesce(p.at, 0))
        order by e.at limit 1
    ));
$$;
