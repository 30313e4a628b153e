-- Change: a database says which buckets of orders it has. Where orders are on several, it refuses to write others.
-- Previous release: does not know the table. Its database has all buckets, and no trigger is made before that changes.

create table orders.here (
    one     boolean        primary key default true check (one),
    shard   text,  -- its name, once orders are on several databases
    place   smallint       not null default 0 check (place between 0 and 63),
    buckets int4multirange not null
);
insert into orders.here (buckets) values ('{[0,1024)}');

-- The row is read for share by each statement that writes, so whoever takes a bucket away waits for those.
create function orders.refuse_elsewhere() returns trigger language plpgsql as $$
declare
    mine int4multirange;
begin
    select buckets into mine from orders.here for share;
    perform from written w where not mine @> w.bucket::int;
    if found then
        raise exception 'these orders are not here' using errcode = 'no_data_found';
    end if;
    return null;
end
$$;

-- The triggers are made when a database becomes one of several: what they look at is kept for each statement even
-- while they are disabled. Numbers of one place are then one in 64, none of which another place has given.
create function orders.become_one_of_several(shard_ text, place_ int, buckets_ int4multirange, first_number bigint)
returns void language plpgsql as $$
declare
    name text;
begin
    update orders.here set shard = shard_, place = place_, buckets = buckets_;
    execute format('alter sequence orders.number increment by 64 restart with %s', first_number);
    foreach name in array array['orders', 'line', 'history', 'note', 'refusal', 'erased'] loop
        execute format('create trigger insert_here after insert on orders.%I referencing new table as written '
            'for each statement execute function orders.refuse_elsewhere()', name);
        execute format('create trigger update_here after update on orders.%I referencing new table as written '
            'for each statement execute function orders.refuse_elsewhere()', name);
    end loop;
end
$$;
