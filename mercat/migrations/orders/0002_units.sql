-- Change: units of a line are counted as cancelled, coming back and refunded; an order has a number that people say,
--     and may say what each seller's part costs to deliver.
-- Previous release: names its columns, and triggers count the units that it cancels and takes back.

alter table orders.line
    add column cancelled   integer not null default 0 check (cancelled >= 0),
    add column coming_back integer not null default 0 check (coming_back >= 0),
    add column refunded    integer not null default 0 check (refunded >= 0);

update orders.line l set cancelled = l.quantity, refunded = l.quantity
from orders.orders o where o.bucket = l.bucket and o.order_id = l.order_id and o.status = 'cancelled';
update orders.line set refunded = returned where returned > refunded;

-- Until the previous release is gone `shipped` bounds what comes back, not `delivered`: it takes back from the road.
alter table orders.line
    add constraint units_go_one_way check (cancelled + shipped <= quantity),
    add constraint units_come_back_once check (coming_back + returned <= shipped),
    add constraint units_paid_back_once check (refunded between cancelled + returned and quantity);

create function orders.count_refunded() returns trigger language plpgsql as $$
begin
    new.refunded := greatest(new.refunded, new.cancelled + new.returned);
    return new;
end
$$;
create trigger count_refunded before update of returned, cancelled on orders.line
    for each row execute function orders.count_refunded();

create function orders.count_cancelled() returns trigger language plpgsql as $$
begin
    update orders.line set cancelled = quantity, refunded = quantity
    where bucket = new.bucket and order_id = new.order_id and cancelled < quantity;
    return null;
end
$$;
create trigger count_cancelled after update of status on orders.orders
    for each row when (new.status = 'cancelled') execute function orders.count_cancelled();

-- Of an earlier order the number is filled in by a duty. `parts`: what the delivery of each seller's part costs, and
-- how it travels; where it is null the parts share the order's.
alter table orders.orders add column number bigint, add column parts json;
create sequence orders.number start 1000001;
alter table orders.orders alter column number set default nextval('orders.number');
