-- name: open(return_id, order_id, user_id, seller_id, seller_name, reason, comment, currency, status, decided_by,
--     approved_at, seller_email, now, order_line_ids, product_ids, offer_ids, titles, image_urls, unit_prices, quantities)
-- Once a return; told with what is in it, and at once as approved where the shop does that by itself.
with opened as (
    insert into returns.return (return_id, order_id, user_id, seller_id, seller_name, status, reason, comment, currency,
        decided_by, asked_at, approved_at)
    values (:return_id, :order_id, :user_id, :seller_id, :seller_name, :status, :reason, :comment, :currency,
        :decided_by, :now, :approved_at)
    on conflict do nothing
    returning *
), lined as (
    insert into returns.line (return_id, order_line_id, product_id, offer_id, title, image_url, unit_price, quantity)
    select o.return_id, l.order_line_id, l.product_id, l.offer_id, l.title, l.image_url, l.unit_price, l.quantity
    from opened o, unnest(:order_line_ids::bigint[], :product_ids::bigint[], :offer_ids::bigint[], :titles::text[],
        :image_urls::text[], :unit_prices::bigint[], :quantities::int[])
        as l (order_line_id, product_id, offer_id, title, image_url, unit_price, quantity)
    returning order_line_id, title, quantity
), inside as (
    select jsonb_agg(jsonb_build_object('order_line_id', order_line_id, 'title', title, 'quantity', quantity)
        order by order_line_id) as lines from lined
), asked as materialized (
    select events.tell('ReturnRequested', jsonb_build_object('event', 'ReturnRequested', 'return_id', return_id,
        'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'seller_name', seller_name,
        'reason', reason, 'comment', comment, 'lines', lines, 'approved', status = 'approved',
        'seller_email', :seller_email::text)) as told
    from opened, inside
)
select told, case when status = 'approved' then events.tell('ReturnApproved', jsonb_build_object(
    'event', 'ReturnApproved', 'return_id', return_id, 'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id,
    'seller_name', seller_name, 'by', decided_by)) end
from opened, asked;

-- name: one(return_id, order_id, seller_id)
select r.*, (select json_agg(l order by l.order_line_id) from returns.line l where l.return_id = r.return_id)::text as lines
from returns.return r
where r.return_id = :return_id and r.order_id = coalesce(:order_id::bigint, r.order_id)
    and r.seller_id = coalesce(:seller_id::bigint, r.seller_id);

-- name: of_order(order_id)
select r.*, (select json_agg(l order by l.order_line_id) from returns.line l where l.return_id = r.return_id)::text as lines
from returns.return r where r.order_id = :order_id order by r.return_id desc;

-- name: newest(seller_id, status, before, rows_max)
select r.*, (select json_agg(l order by l.order_line_id) from returns.line l where l.return_id = r.return_id)::text as lines
from returns.return r
where (:seller_id::bigint is null or r.seller_id = :seller_id) and (:status::text is null or r.status = :status)
    and r.return_id < :before
order by r.return_id desc limit :rows_max;

-- name: left_lying(lying_since, before, rows_max)
-- What its seller has not answered, or has not looked into, for too long.
select r.*, (select json_agg(l order by l.order_line_id) from returns.line l where l.return_id = r.return_id)::text as lines
from returns.return r
where r.status in ('requested', 'in_transit') and coalesce(r.sent_at, r.asked_at) <= :lying_since
    and r.return_id < :before
order by r.return_id desc limit :rows_max;

-- name: counts(seller_id)
select status, count(*)::int as returns from returns.return
where :seller_id::bigint is null or seller_id = :seller_id group by status;

-- name: count_left_lying(lying_since)
select count(*)::int from returns.return
where status in ('requested', 'in_transit') and coalesce(sent_at, asked_at) <= :lying_since;

-- name: approve(return_id, seller_id, who, now)
with decided as (
    update returns.return set status = 'approved', approved_at = :now, decided_by = :who
    where return_id = :return_id and seller_id = coalesce(:seller_id::bigint, seller_id) and status = 'requested'
    returning *
)
select events.tell('ReturnApproved', jsonb_build_object('event', 'ReturnApproved', 'return_id', return_id,
    'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'seller_name', seller_name, 'by', decided_by))
from decided;

-- name: refuse(return_id, seller_id, who, why, now)
with decided as (
    update returns.return set status = 'refused', refused_because = :why, decided_by = :who, ended_at = :now
    where return_id = :return_id and seller_id = coalesce(:seller_id::bigint, seller_id) and status = 'requested'
    returning *
)
select events.tell('ReturnRefused', jsonb_build_object('event', 'ReturnRefused', 'return_id', return_id,
    'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'seller_name', seller_name, 'by', decided_by,
    'why', refused_because)) from decided;

-- name: withdraw(return_id, order_id, now)
with decided as (
    update returns.return set status = 'closed', decided_by = 'shopper', ended_at = :now
    where return_id = :return_id and order_id = :order_id and status in ('requested', 'approved')
    returning *
)
select events.tell('ReturnClosed', jsonb_build_object('event', 'ReturnClosed', 'return_id', return_id,
    'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'seller_name', seller_name, 'withdrawn', true))
from decided;

-- name: sent(return_id, order_id, carrier, tracking_number, now)
-- On its way; told once, and its tracking number can be put right until it has come.
with moved as (
    update returns.return set status = 'in_transit', carrier = :carrier, tracking_number = :tracking_number,
        sent_at = coalesce(sent_at, :now)
    where return_id = :return_id and order_id = :order_id and status in ('approved', 'in_transit')
    returning new.*, old.status as before
)
select events.tell('ReturnSent', jsonb_build_object('event', 'ReturnSent', 'return_id', return_id,
    'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'seller_name', seller_name,
    'carrier', carrier, 'tracking_number', tracking_number)) from moved where before = 'approved';

-- name: receive(return_id, seller_id, who, now, withheld, withheld_because, order_line_ids, sellable, damaged, missing)
-- Decided here, once: what came, in which condition, and what is withheld. Money and stock follow from it.
with decided as (
    update returns.return set status = 'received', received_at = :now, decided_by = :who, withheld = :withheld,
        withheld_because = :withheld_because
    where return_id = :return_id and seller_id = coalesce(:seller_id::bigint, seller_id)
        and status in ('approved', 'in_transit')
    returning *
), counted as (
    update returns.line l set sellable = n.sellable, damaged = n.damaged, missing = n.missing
    from decided d, unnest(:order_line_ids::bigint[], :sellable::int[], :damaged::int[], :missing::int[])
        as n (order_line_id, sellable, damaged, missing)
    where l.return_id = d.return_id and l.order_line_id = n.order_line_id
    returning l.order_line_id, l.title, l.quantity, l.sellable, l.damaged, l.missing
)
select events.tell('ReturnReceived', jsonb_build_object('event', 'ReturnReceived', 'return_id', return_id,
    'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'seller_name', seller_name, 'by', decided_by,
    'lines', (select jsonb_agg(c order by order_line_id) from counted c))) from decided;

-- name: settle(return_id, amount, now)
-- Paid back; or closed, where nothing that came is paid.
with settled as (
    update returns.return set status = case when :amount::bigint > 0 then 'refunded' else 'closed' end,
        refunded = :amount, ended_at = :now
    where return_id = :return_id and status = 'received'
    returning *
)
select case when refunded > 0 then events.tell('ReturnRefunded', jsonb_build_object('event', 'ReturnRefunded',
        'return_id', return_id, 'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id,
        'seller_name', seller_name, 'amount', refunded, 'currency', currency, 'withheld', withheld,
        'withheld_because', withheld_because))
    else events.tell('ReturnClosed', jsonb_build_object('event', 'ReturnClosed', 'return_id', return_id,
        'order_id', order_id, 'user_id', user_id, 'seller_id', seller_id, 'seller_name', seller_name,
        'withdrawn', false)) end
from settled;
