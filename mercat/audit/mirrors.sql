-- mirror: placed
-- Orders that stand. A mirror is what orders say and, under `elsewhere`, what the rest of the shop says of the same, row
-- by row; the first column is the id by which both are cut into slices. A law that names a mirror reads what orders say:
-- in their tables, or where those are in other databases in what is said elsewhere, once the slices that differ were
-- replaced. So what is said elsewhere decides how much is moved, and never what a law finds.
select order_id, checkout_id, cart_id, total, discount, shipping, tax, currency, placed_at,
    coalesce(json_array_length(discounts), 0) > 0 as reduced
from orders.orders where status <> 'refused';

-- elsewhere: placed
select o.order_id, a.checkout_id, o.cart_id, o.total, o.discount, o.shipping, o.tax, o.currency, c.begun_at,
    coalesce(json_array_length(o.discounts), 0) > 0
from checkout.answer a join checkout.checkout c using (checkout_id)
cross join json_to_record(c.record -> 'order') as o (order_id bigint, cart_id bigint, total bigint, discount bigint,
    shipping bigint, tax bigint, currency text, discounts json)
where a.status = 201 and o.order_id is not null;

-- mirror: line
select order_id, order_line_id, offer_id, seller_id, quantity, unit_price, total from orders.line;

-- elsewhere: line
select o.order_id, l.*
from checkout.answer a join checkout.checkout c using (checkout_id)
cross join json_to_record(c.record -> 'order') as o (order_id bigint, lines json)
cross join json_to_recordset(o.lines) as l (order_line_id bigint, offer_id bigint, seller_id bigint, quantity integer,
    unit_price bigint, total bigint)
where a.status = 201 and o.order_id is not null;

-- mirror: cancelled
select order_id from orders.orders where status = 'cancelled';

-- elsewhere: cancelled
select p.order_id from payments.payment p join payments.refund r using (payment_id)
where p.status = 'captured' and r.reference like 'cancel/%' group by p.payment_id having sum(r.amount) = p.amount;

-- mirror: shipped
select order_id, order_line_id, shipped::bigint as units from orders.line where shipped > 0;

-- elsewhere: shipped
select s.order_id, pg_temp.number_of(l ->> 'order_line_id'), sum((l ->> 'quantity')::int)
from fulfilment.shipment s cross join jsonb_array_elements(s.lines) l group by 1, 2;

-- mirror: coming
-- Units on their way back, and those that came.
select order_id, order_line_id, coming_back::bigint as coming_back, returned::bigint as returned
from orders.line where coming_back > 0 or returned > 0;

-- elsewhere: coming
select * from (
    select r.order_id, l.order_line_id,
        coalesce(sum(l.quantity) filter (where r.status in ('requested', 'approved', 'in_transit')), 0) as coming_back,
        sum(l.sellable + l.damaged) as returned
    from returns.return r join returns.line l using (return_id) group by 1, 2
) back where coming_back > 0 or returned > 0;

-- mirror: paid_back
-- Units that were paid back.
select order_id, order_line_id, refunded::bigint as units from orders.line where refunded > 0;

-- elsewhere: paid_back
select p.order_id, pg_temp.number_of(u ->> 'order_line_id'), sum((u ->> 'quantity')::int)
from invoices.paper p cross join json_array_elements(p.units) u where p.kind = 'credit_note' group by 1, 2;

-- mirror: decided
-- What was decided to be paid back.
select order_id, amount from (
    select h.order_id, sum((p ->> 'price')::bigint - (p ->> 'discount')::bigint + (p ->> 'tax')::bigint
        + (p ->> 'shipping')::bigint)::bigint as amount
    from orders.history h cross join jsonb_array_elements(h.detail -> 'parts') p
    where h.what in ('cancelled', 'returned', 'refunded') group by 1
) owed where amount <> 0;

-- elsewhere: decided
select p.order_id, sum(r.amount) from payments.refund r join payments.payment p using (payment_id)
join checkout.answer a on a.checkout_id = p.checkout_id and a.status = 201
where p.status = 'captured' group by 1 having sum(r.amount) <> 0;

-- mirror: worth
-- What the goods of a return are worth that came.
select split_part(h.reference, '/', 2)::bigint as return_id, coalesce(sum((p ->> 'price')::bigint
    - (p ->> 'discount')::bigint + (p ->> 'tax')::bigint + (p ->> 'shipping')::bigint), 0)::bigint as amount
from orders.history h left join jsonb_array_elements(h.detail -> 'parts') p on true
where h.what = 'returned' and h.reference like 'return/%/received' group by 1;

-- elsewhere: worth
select return_id, refunded from returns.return where received_at is not null;

-- mirror: former
-- Orders of which release 0.1.0 did not write which units came back, or what a decision pays back.
select * from (
    select order_id, bool_or(what = 'returned' and reference not like '%/received') as without_return,
        bool_or(not detail ? 'parts') as without_parts
    from orders.history where what in ('cancelled', 'returned') group by 1
) former where without_return or without_parts;

-- elsewhere: former
select null::bigint, true, true where false;

-- mirror: cancelled_units
-- `fresh`: cancelled at this moment.
select h.order_id, (h.at at time zone 'utc')::date as day, sum((g ->> 'quantity')::bigint)::bigint as units,
    max(h.at) > now() - interval '5 seconds' as fresh
from orders.history h cross join jsonb_array_elements(h.detail -> 'goods') g where h.what = 'cancelled' group by 1, 2;

-- elsewhere: cancelled_units
select p.order_id, (p.issued_at at time zone 'utc')::date, sum((u ->> 'quantity')::bigint), false
from invoices.paper p cross join json_array_elements(p.units) u
where p.kind = 'credit_note' and p.cause = 'cancel' group by 1, 2;
