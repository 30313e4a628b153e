-- name: tell(kind, body)
select events.tell_json(:kind, :body);

-- name: engine_position
select position from analytics.engine;

-- name: set_engine_position(position)
insert into analytics.engine (position) values (:position)
on conflict (one) do update set position = greatest(analytics.engine.position, excluded.position);

-- name: put_days(every, days, seller_ids, orders, units, gross, discounts, taxes, shippings, commissions, cancelled,
--     refunds, changed)
-- The sums of these days, or of all: a day that comes to nothing any more has none.
with gone as (
    delete from analytics.day d where (:every::boolean or d.day = any(:changed::date[]))
        and not exists (select from unnest(:days::date[], :seller_ids::bigint[]) as n (day, seller_id)
            where n.day = d.day and n.seller_id = d.seller_id)
)
insert into analytics.day (day, seller_id, orders, units, gross, discount, tax, shipping, commission, cancelled, refunds)
select * from unnest(:days::date[], :seller_ids::bigint[], :orders::bigint[], :units::bigint[], :gross::bigint[],
    :discounts::bigint[], :taxes::bigint[], :shippings::bigint[], :commissions::bigint[], :cancelled::bigint[],
    :refunds::bigint[])
on conflict (day, seller_id) do update set orders = excluded.orders, units = excluded.units, gross = excluded.gross,
    discount = excluded.discount, tax = excluded.tax, shipping = excluded.shipping, commission = excluded.commission,
    cancelled = excluded.cancelled, refunds = excluded.refunds;

-- name: set_reached(position, as_of)
insert into analytics.reached (position, as_of) values (:position, :as_of)
on conflict (one) do update set position = excluded.position, as_of = excluded.as_of;

-- name: start_experiment(experiment_id, name, subject, least_effect, now)
-- Asked twice with one id it is one.
insert into analytics.experiment (experiment_id, name, subject, least_effect, started_at)
values (:experiment_id, :name, :subject, :least_effect, :now)
on conflict (experiment_id) do nothing;

-- name: experiments(most)
select * from analytics.experiment order by experiment_id desc limit :most;

-- name: experiment(experiment_id)
select * from analytics.experiment where experiment_id = :experiment_id;

-- name: running_experiments
select * from analytics.experiment where stopped_at is null order by experiment_id;

-- name: stop_experiment(experiment_id, because, now)
-- One that was stopped stays as it was.
update analytics.experiment set stopped_at = :now, stopped_because = :because
where experiment_id = :experiment_id and stopped_at is null;

-- name: save_view(view_id, user_id, seller_id, name, report, by, tz, next_at, most)
-- In the first place that is free; asked twice with one id it is one.
insert into analytics.saved_view (view_id, user_id, seller_id, place, name, report, by, tz, next_at)
select :view_id, :user_id::bigint, :seller_id::bigint, p.place, :name, :report, :by, :tz, :next_at
from generate_series(1, :most::integer) as p (place)
where not exists (select from analytics.saved_view v where v.user_id = :user_id and v.place = p.place)
order by p.place limit 1
on conflict do nothing;

-- name: view(view_id, user_id, seller_id)
select * from analytics.saved_view
where view_id = :view_id and user_id = :user_id and seller_id is not distinct from :seller_id;

-- name: views(user_id, seller_id)
select * from analytics.saved_view
where user_id = :user_id and seller_id is not distinct from :seller_id order by view_id;

-- name: drop_view(view_id, user_id, seller_id)
delete from analytics.saved_view
where view_id = :view_id and user_id = :user_id and seller_id is not distinct from :seller_id
returning view_id;

-- name: forget_views(people)
delete from analytics.saved_view where user_id = any(:people::bigint[]);

-- name: due_views(now, most)
select * from analytics.saved_view where next_at <= :now order by next_at limit :most;

-- name: put_off_view(view_id, was, next_at)
update analytics.saved_view set next_at = :next_at where view_id = :view_id and next_at = :was;

-- name: tell_view(view_id, was, next_at, kind, body)
-- It moves on in the statement that tells of it: whoever comes second tells nothing.
with moved as (
    update analytics.saved_view set next_at = :next_at where view_id = :view_id and next_at = :was returning view_id
)
select events.tell_json(:kind, :body) from moved;
