-- law: stock is never oversold
-- Every law yields how many rows it checked and how many broke it.
select count(*) as checked, count(*) filter (where reserved < 0 or reserved > on_hand) as violations
from inventory.stock;

-- law: stock on hand is the sum of its movements
with moved as (
    select offer_id, location_id, sum(quantity) as units
    from inventory.movement, unnest(offer_ids, location_ids, quantities) as u (offer_id, location_id, quantity)
    group by 1, 2
)
select count(*) as checked, count(*) filter (where coalesce(s.on_hand, 0) <> coalesce(m.units, 0)) as violations
from inventory.stock s full join moved m using (offer_id, location_id);

-- law: stock reserved is the sum of live reservations
with held as (
    select offer_id, location_id, sum(quantity) as units
    from inventory.reservation, unnest(offer_ids, location_ids, quantities) as u (offer_id, location_id, quantity)
    where state = 'held'
    group by 1, 2
)
select count(*) as checked, count(*) filter (where coalesce(s.reserved, 0) <> coalesce(h.units, 0)) as violations
from inventory.stock s full join held h using (offer_id, location_id);

-- law: what was sold left the shelf once
select count(*) as checked, count(*) filter (where m.reference is null) as violations
from inventory.reservation r
left join inventory.movement m on m.reference = r.checkout_id::text and m.kind = 'sold'
where r.state = 'sold';

-- law: a held reservation belongs to a running checkout
select count(*) as checked, count(*) filter (where c.checkout_id is null) as violations
from inventory.reservation r
left join checkout.running c on c.checkout_id = r.checkout_id
where r.state = 'held' and r.at < now() - interval '30 seconds';

-- law: order lines add up to the order
with lines as (
    select bucket, order_id, sum(total) as subtotal, bool_and(total = unit_price * quantity) as sound
    from orders.line group by 1, 2
)
select count(*) as checked,
    count(*) filter (where l.subtotal is distinct from o.subtotal or not l.sound) as violations
from orders.orders o left join lines l using (bucket, order_id) where o.status <> 'refused';

-- law: order totals add up
select count(*) as checked, count(*) filter (where total
    <> subtotal - discount + shipping + case when prices_include_tax then 0 else tax end) as violations
from orders.orders where status <> 'refused';

-- law: an order has one captured payment of its total
with paid as (
    select order_id, count(*) as payments, sum(amount) as amount
    from payments.payment where status = 'captured' group by 1
)
select count(*) as checked,
    count(*) filter (where p.payments is distinct from 1 or p.amount is distinct from o.total) as violations
from mirror.placed o left join paid p using (order_id);

-- law: an order has one confirmed reservation of exactly its lines
with sold as (
    select r.checkout_id, u.offer_id, sum(u.quantity) as units
    from inventory.reservation r, unnest(r.offer_ids, r.quantities) as u (offer_id, quantity)
    where r.state = 'sold' group by 1, 2
), bought as (
    select o.checkout_id, l.offer_id, sum(l.quantity) as units
    from mirror.placed o join mirror.line l using (order_id) group by 1, 2
)
select count(*) as checked, count(*) filter (where s.units is distinct from b.units) as violations
from sold s full join bought b using (checkout_id, offer_id)
where not exists (select from checkout.running r where r.checkout_id = coalesce(s.checkout_id, b.checkout_id));

-- law: every journal entry sums to zero
select count(*) as checked,
    count(*) filter (where (select sum(a) from unnest(amounts) a) <> 0 or cardinality(accounts) <> cardinality(amounts))
        as violations
from payments.entry;

-- law: the trial balance is zero
select count(*) as checked, count(*) filter (where balance <> 0) as violations
from (select currency, sum(a) as balance from payments.entry, unnest(amounts) a group by currency) b;

-- law: every capture and refund is booked
select count(*) as checked, count(*) filter (where e.reference is null) as violations
from (
    select checkout_id as reference, 'capture' as kind, amount - tendered as amount from payments.payment
    where status = 'captured'
    union all
    select refund_id, 'refund', stored - amount from payments.refund
    union all
    select refund_id, 'paid_back', amount - stored from payments.refund where status = 'done'
) money
left join payments.entry e on e.reference = money.reference and e.kind = money.kind and e.amounts[1] = money.amount;

-- law: what is owed as refunds is what is pending
-- What the bank could not pay back is owed still.
with owed as (
    select currency, -sum(amount) as amount
    from payments.entry, unnest(accounts, amounts) as u (account, amount)
    where kind <> 'capture' and account = 'refunds' group by 1
), pending as (
    select p.currency, sum(r.amount - r.stored) as amount
    from payments.refund r join payments.payment p using (payment_id) where r.status in ('pending', 'failed') group by 1
)
select count(*) as checked, count(*) filter (where coalesce(o.amount, 0) <> coalesce(p.amount, 0)) as violations
from owed o full join pending p using (currency);

-- law: refunds never exceed captures
with back as (select payment_id, sum(amount) as amount from payments.refund group by 1)
select count(*) as checked,
    count(*) filter (where coalesce(b.amount, 0) > p.amount or coalesce(b.amount, 0) <> p.refunded) as violations
from payments.payment p left join back b using (payment_id) where p.status = 'captured';

-- law: every capture belongs to an order or is refunded
select count(*) as checked,
    count(*) filter (where p.refunded < p.amount and o.order_id is null) as violations
from payments.payment p
left join mirror.placed o on o.order_id = p.order_id
where p.status = 'captured'
    and not exists (select from checkout.running r where r.checkout_id = p.checkout_id);

-- law: a cancelled order is refunded
select count(*) as checked, count(*) filter (where p.refunded is distinct from o.total) as violations
from mirror.cancelled join mirror.placed o using (order_id)
left join payments.payment p on p.order_id = o.order_id and p.status = 'captured'
where not exists (select from checkout.undoing u where u.order_id = o.order_id and u.done_at is null);

-- law: what a cancelled order was booked on is given back, account by account
-- Also of an order that came to nothing: what its sellers were to get, and what the shop gave away.
with cancelled as (
    select o.checkout_id, p.payment_id from mirror.cancelled join mirror.placed o using (order_id)
    join payments.payment p on p.order_id = o.order_id and p.status = 'captured'
    where not exists (select from checkout.undoing u where u.order_id = o.order_id and u.done_at is null)
), entries as (
    select c.payment_id, e.accounts, e.amounts from cancelled c
    join payments.entry e on e.reference = c.checkout_id and e.kind = 'capture'
    union all
    select c.payment_id, e.accounts, e.amounts from cancelled c join payments.refund r using (payment_id)
    join payments.entry e on e.reference = r.refund_id and e.kind = 'refund'
), left_over as (
    select payment_id, account, sum(amount) as amount from entries, unnest(accounts, amounts) as u (account, amount)
    where account not in ('provider', 'refunds', 'gift_cards', 'store_credit') group by 1, 2
)
select count(*) as checked, count(*) filter (where amount <> 0) as violations from left_over;

-- law: nothing stays undecided for longer than fifteen minutes
select count(*) as checked,
    count(*) filter (where begun_at < now() - interval '16 minutes' and parked is null) as violations
from checkout.running;

-- law: one order a key
select count(*) as checked, count(*) filter (where orders > 1) as violations
from (
    select c.user_id, c.key, count(o.order_id) as orders
    from checkout.checkout c join mirror.placed o using (checkout_id)
    group by 1, 2
) k;

-- law: one order a cart
select count(*) as checked, count(*) filter (where orders > 1) as violations
from (select cart_id, count(*) as orders from mirror.placed group by 1) c;

-- law: what a shopper was told stands
select count(*) as checked,
    count(*) filter (where (a.status = 201) <> (o.order_id is not null)) as violations
from checkout.answer a
join checkout.checkout c using (checkout_id)
left join mirror.placed o on o.checkout_id = a.checkout_id;

-- law: one successful charge a checkout at the provider
select count(*) as checked,
    count(*) filter (where p.payment_id is null or p.amount - p.tendered <> s.amount or p.refunded - (
        select coalesce(sum(r.stored), 0) from payments.refund r where r.payment_id = p.payment_id) <> s.refunded)
        as violations
from payments.sandbox_charge s
left join payments.payment p on p.checkout_id = s.key and p.status = 'captured'
where s.state = 'charged' and not exists (select from checkout.running r where r.checkout_id = s.key)
    and not exists (select from payments.refund f where f.payment_id = p.payment_id and f.status <> 'done');

-- law: what is on gift cards and store credit is the sum of its movements
with moved as (select value_id, sum(amount) as amount from payments.value_movement group by 1)
select count(*) as checked,
    count(*) filter (where coalesce(m.amount, 0) <> v.balance or v.balance < 0) as violations
from payments.stored_value v left join moved m using (value_id);

-- law: what is on gift cards and store credit is owed in the books
-- What is held for a checkout is owed until its capture takes it.
with owed as (
    select case account when 'gift_cards' then 'gift_card' else 'store_credit' end as kind, currency,
        -sum(amount) as amount
    from payments.entry, unnest(accounts, amounts) as u (account, amount)
    where account in ('gift_cards', 'store_credit') group by 1, 2
), kept as (
    select v.kind, v.currency, sum(v.balance + coalesce(t.amount, 0)) as amount
    from payments.stored_value v left join (
        select value_id, sum(amount) as amount from payments.tender where state = 'held' group by 1) t using (value_id)
    group by 1, 2
)
select count(*) as checked, count(*) filter (where coalesce(o.amount, 0) <> coalesce(k.amount, 0)) as violations
from owed o full join kept k using (kind, currency);

-- law: a gift card that was bought is a unit of its order that was handed over, for what that cost
with sold as (select order_line_id, order_id, count(*) as cards from payments.sold_gift_card group by 1, 2)
select count(*) as checked, count(*) filter (where l.order_line_id is null or s.cards is distinct from h.units
    or exists (select from payments.sold_gift_card g join payments.stored_value v using (value_id)
        where g.order_line_id = s.order_line_id and (v.initial <> l.unit_price or v.kind <> 'gift_card'))) as violations
from sold s left join mirror.line l using (order_id, order_line_id) left join mirror.shipped h using (order_id, order_line_id);

-- law: only what was paid back of gift cards is void
with back as (
    select s.order_line_id, count(*) filter (where s.voided_at is not null) as void,
        count(*) filter (where s.voided_at is not null and v.status <> 'disabled') as usable
    from payments.sold_gift_card s join payments.stored_value v using (value_id) group by 1
)
select count(*) as checked, count(*) filter (where b.void > coalesce(p.units, 0) or b.usable > 0) as violations
from back b join mirror.line l using (order_line_id) left join mirror.paid_back p using (order_line_id);

-- law: a gift card that was paid back was taken with all that it had cost
select count(*) as checked, count(*) filter (where not exists (select from payments.value_movement m
        where m.value_id = s.value_id and m.kind = 'voided' and m.amount = -v.initial)) as violations
from payments.sold_gift_card s join payments.stored_value v using (value_id)
where s.refund is not null and s.voided_at is not null;

-- law: a payment took what it was tendered, and nothing is held for who does not buy
with tendered as (
    select checkout_id, coalesce(sum(amount) filter (where state = 'taken'), 0) as taken,
        coalesce(sum(refunded) filter (where state <> 'taken'), 0) as wrongly_back,
        bool_or(state = 'held' and at < now() - interval '30 seconds') as held
    from payments.tender group by 1
)
select count(*) as checked, count(*) filter (where coalesce(t.taken, 0)
        <> case when p.status = 'captured' then p.tendered else 0 end or coalesce(t.wrongly_back, 0) <> 0
        or t.held and r.checkout_id is null) as violations
from tendered t
full join (select checkout_id, status, tendered from payments.payment where tendered > 0) p using (checkout_id)
left join checkout.running r on r.checkout_id = coalesce(t.checkout_id, p.checkout_id);

-- law: no gift card is spent by an order that was refused
select count(*) as checked, count(*) filter (where o.order_id is null and t.refunded < t.amount) as violations
from payments.tender t
left join mirror.placed o on o.checkout_id = t.checkout_id
where t.state = 'taken' and not exists (select from checkout.running r where r.checkout_id = t.checkout_id);

-- law: one letter a fact and channel
select count(*) as checked, count(*) filter (where letters > 1) as violations
from (select count(*) as letters from notifications.mail group by subject_id, kind, channel) m;

-- law: ratings are the sum of their reviews
with counted as (
    select product_id, array[count(*) filter (where stars = 1), count(*) filter (where stars = 2),
        count(*) filter (where stars = 3), count(*) filter (where stars = 4), count(*) filter (where stars = 5)] as stars
    from reviews.review where hidden_at is null group by 1
)
select count(*) as checked,
    count(*) filter (where coalesce(r.written, '{0,0,0,0,0}') <> coalesce(c.stars, '{0,0,0,0,0}')) as violations
from reviews.rating r full join counted c using (product_id);

-- law: products show the ratings that reviews told
-- What was written within the last half minute may still be on its way.
select count(*) as checked,
    count(*) filter (where p.review_count <> (select sum(a + b) from unnest(r.start, r.written) u (a, b))) as violations
from reviews.rating r join catalog.product p using (product_id)
where (select sum(a) from unnest(r.written) a) > 0 and not exists (
    select from reviews.review w where w.product_id = r.product_id and w.written_at > now() - interval '30 seconds');

-- law: a flash sale sells no more than it offers
-- What is counted as sold and as promised is what the turns say.
with turns as (
    select sale_id, coalesce(sum(quantity) filter (where state = 'used'), 0) as sold,
        coalesce(sum(case when state = 'used' then quantity when state <> 'lapsed' then units end), 0) as taken
    from flashsale.turn group by 1
)
select count(*) as checked,
    count(*) filter (where s.taken > s.units or s.sold <> coalesce(t.sold, 0) or s.taken <> coalesce(t.taken, 0))
        as violations
from flashsale.sale s left join turns t using (sale_id);

-- law: a flash pass buys one order
with bought as (
    select c.checkout_id, c.pass, s.sale_id, sum(l.quantity) as units,
        count(*) over (partition by c.pass) as orders
    from checkout.checkout c
    join mirror.placed o on o.checkout_id = c.checkout_id
    join flashsale.sale s on s.sale_id = split_part(c.pass, '/', 1)
    join mirror.line l on l.order_id = o.order_id and l.offer_id = s.offer_id
    where c.pass is not null
    group by 1, 2, 3
)
select count(*) as checked,
    count(*) filter (where b.orders > 1 or t.checkout_id is null or b.checkout_id is null and t.state = 'used'
        or t.pass <> b.pass or t.quantity <> b.units) as violations
from bought b
full join (
    select checkout_id, state, quantity, sale_id || '/' || place as pass
    from flashsale.turn where state in ('claimed', 'used')
) t using (checkout_id);

-- law: an order of a flash sale has its pass
-- A process may learn of a new sale some seconds late.
select count(*) as checked, count(*) filter (where c.pass is null) as violations
from flashsale.sale s
join mirror.line l on l.offer_id = s.offer_id
join mirror.placed o on o.order_id = l.order_id
    and o.placed_at > s.made_at + interval '10 seconds' and o.placed_at < coalesce(s.ended_at, 'infinity')
join checkout.checkout c on c.checkout_id = o.checkout_id;

-- law: flash passes are released in queue order
with turns as (
    select t.sale_id, t.user_id, t.place, t.number, t.released_at, s.serving, s.drawn,
        max(t.released_at) over (partition by t.sale_id order by t.place) as latest
    from flashsale.turn t join flashsale.sale s using (sale_id) where s.queue
), passed_over as (
    select k.sale_id from flashsale.ticket k join flashsale.sale s using (sale_id)
    where s.queue and k.number > s.drawn and k.number <= s.serving and not exists (
        select from flashsale.turn t where t.sale_id = k.sale_id
            and (t.number = k.number or t.user_id in (k.user_id, k.owner_id)))
)
select count(*) as checked,
    count(*) filter (where released_at < latest or place > serving or place > drawn and number <> place)
        + (select count(*) from passed_over) as violations
from turns;

-- law: units on their way back are those of the returns
-- What release 0.1.0 took back has no return of its own.
with back as (
    select r.order_id, l.order_line_id,
        coalesce(sum(l.quantity) filter (where r.status in ('requested', 'approved', 'in_transit')), 0) as coming,
        sum(l.sellable + l.damaged) as came
    from returns.return r join returns.line l using (return_id) group by 1, 2
)
select count(*) as checked,
    count(*) filter (where coalesce(m.coming_back, 0) <> coalesce(b.coming, 0)
        or coalesce(m.returned, 0) <> coalesce(b.came, 0)) as violations
from mirror.coming m full join back b using (order_id, order_line_id)
where not exists (select from checkout.undoing u where u.order_id = coalesce(m.order_id, b.order_id) and u.done_at is null)
    and not exists (select from mirror.former f where f.order_id = coalesce(m.order_id, b.order_id) and f.without_return);

-- law: a return is paid back what came is worth, once
-- Its refund is what it says, and what the order's row decided; nothing before the goods are here.
with paid as (
    select split_part(reference, '/', 2)::bigint as return_id, sum(amount) as amount
    from payments.refund where reference like 'return/%' group by 1
)
select count(*) as checked,
    count(*) filter (where coalesce(p.amount, 0) <> r.refunded or coalesce(w.amount, 0) <> r.refunded) as violations
from returns.return r left join paid p using (return_id) left join mirror.worth w using (return_id)
where not exists (select from checkout.undoing u where u.order_id = r.order_id and u.done_at is null)
    and not exists (select from payments.refund f where f.reference = 'return/' || r.return_id and f.status = 'failed');

-- law: of what came back the sellable alone is on the shelf, once
with shelved as (
    select m.reference, u.offer_id, sum(u.quantity) as units
    from inventory.movement m, unnest(m.offer_ids, m.quantities) as u (offer_id, quantity)
    where m.kind = 'returned' and m.reference like 'return/%' group by 1, 2
), came as (
    select 'return/' || r.return_id as reference, r.order_id, l.offer_id, sum(l.sellable) as units
    from returns.return r join returns.line l using (return_id) group by 1, 2, 3
)
select count(*) as checked, count(*) filter (where coalesce(s.units, 0) <> c.units) as violations
from came c left join shelved s using (reference, offer_id)
where not exists (select from checkout.undoing u where u.order_id = c.order_id and u.done_at is null);

-- law: a unit goes one way
select count(*) as checked, count(*) filter (where not (
    cancelled + shipped <= quantity and delivered <= shipped and coming_back + returned <= shipped
    and refunded between cancelled + returned and quantity and least(cancelled, coming_back, returned) >= 0))
    as violations
from orders.line;

-- law: an order's status follows from its units
-- What is cancelled is not waited for.
with units as (
    select bucket, order_id, case when bool_and(cancelled = quantity) then 'cancelled'
        when bool_and(delivered = quantity - cancelled) then 'delivered'
        when bool_and(shipped = quantity - cancelled) then 'shipped'
        when bool_or(shipped > 0) then 'partially_shipped' else 'confirmed' end as status
    from orders.line group by 1, 2
)
select count(*) as checked, count(*) filter (where u.status <> o.status) as violations
from orders.orders o join units u using (bucket, order_id) where o.status <> 'refused';

-- law: units that are paid back were decided so
-- Release 0.1.0 wrote neither the line of what came back nor the units of what was cancelled.
with decided as (
    select h.bucket, h.order_id, (g ->> 'order_line_id')::bigint as order_line_id, sum((g ->> 'quantity')::int) as units
    from orders.history h, jsonb_array_elements(h.detail -> 'goods') g
    where h.what in ('cancelled', 'returned', 'refunded') and h.detail ? 'parts'
    group by 1, 2, 3
), old as (
    select bucket, order_id from orders.history
    where what in ('cancelled', 'returned') and not detail ? 'parts'
)
select count(*) as checked,
    count(*) filter (where l.refunded <> least(l.quantity, coalesce(d.units, 0))) as violations
from orders.line l
left join decided d using (bucket, order_id, order_line_id)
where not exists (select from old where old.bucket = l.bucket and old.order_id = l.order_id);

-- law: what was decided to be paid back is paid back
with back as (
    select p.order_id, sum(r.amount) as amount
    from payments.refund r join payments.payment p using (payment_id) where p.status = 'captured' group by 1
)
select count(*) as checked,
    count(*) filter (where coalesce(w.amount, 0) <> coalesce(b.amount, 0)) as violations
from mirror.decided w full join back b using (order_id) join mirror.placed o using (order_id)
where not exists (select from checkout.undoing u where u.order_id = o.order_id and u.done_at is null)
    and not exists (select from mirror.former f where f.order_id = o.order_id and f.without_parts);

-- law: no seller's part pays back more than it cost
with back as (
    select h.bucket, h.order_id, (p ->> 'seller_id')::bigint as seller_id, sum((p ->> 'price')::bigint) as price,
        sum((p ->> 'shipping')::bigint) as shipping
    from orders.history h, jsonb_array_elements(h.detail -> 'parts') p
    where h.what in ('cancelled', 'returned', 'refunded') group by 1, 2, 3
)
select count(*) as checked, count(*) filter (where b.shipping > o.shipping + coalesce((
        select sum((each ->> 'waived')::bigint) from json_array_elements(o.parts) each), 0) or b.price > (
    select sum(l.total) from orders.line l
    where l.bucket = b.bucket and l.order_id = b.order_id and l.seller_id = b.seller_id)) as violations
from back b join orders.orders o using (bucket, order_id);

-- law: invoices and credit notes are numbered without gaps
-- A number is one paper's, so as many as the highest number are all of them.
with papers as (
    select seller_id, kind, count(*) as papers, max(number) as highest from invoices.paper group by 1, 2
), given as (
    select seller_id, 'invoice' as kind, invoices as numbers from invoices.issuer
    union all
    select seller_id, 'credit_note', credit_notes from invoices.issuer
)
select count(*) as checked,
    count(*) filter (where coalesce(p.papers, 0) <> g.numbers or coalesce(p.highest, 0) <> g.numbers) as violations
from given g left join papers p using (seller_id, kind);

-- law: every seller's part of an order has its invoice
-- Since there are any; what was paid within the last minute may still be on its way, and more while the relay or who
-- follows the log is behind.
with followed as (
    select events.has_followed('invoices') as is_so
), part as (
    select distinct o.order_id, l.seller_id
    from followed join mirror.placed o on is_so and o.placed_at > (select min(issued_at) from invoices.paper)
    join payments.entry e on e.reference = o.checkout_id and e.kind = 'capture' and e.at < now() - interval '1 minute'
    join mirror.line l using (order_id)
)
select count(*) as checked, count(*) filter (where p.order_id is null) as violations
from part left join invoices.paper p on p.order_id = part.order_id and p.seller_id = part.seller_id and p.refund_id = 0;

-- law: every refund that was paid has its credit notes
-- Of an order of an earlier release they are issued with its invoice. What is on its way: as above.
with followed as (
    select events.has_followed('invoices') as is_so
), credited as (
    select refund_id, sum(price - discount + tax + shipping) as amount
    from invoices.paper where kind = 'credit_note' group by 1
)
select count(*) as checked, count(*) filter (where c.amount is distinct from r.amount) as violations
from followed
join payments.refund r on is_so and r.status = 'done'
join payments.payment m using (payment_id)
join payments.entry e on e.reference = r.refund_id and e.kind = 'paid_back' and e.at < now() - interval '1 minute'
left join credited c using (refund_id)
where exists (select from invoices.paper p where p.order_id = m.order_id);

-- law: invoices less credit notes are what remains of the money
with part as (
    select order_id, seller_id, sum(price - discount + tax + shipping) filter (where kind = 'invoice') as invoiced,
        coalesce(sum(price - discount + tax + shipping) filter (where kind = 'credit_note'), 0) as credited
    from invoices.paper group by 1, 2
), whole as (
    select order_id, sum(invoiced) as invoiced, sum(credited) as credited,
        bool_or(invoiced is null or credited > invoiced) as beyond
    from part group by 1
), paid as (
    select p.order_id, p.amount, coalesce(sum(r.amount) filter (where exists (
        select from invoices.paper c where c.order_id = p.order_id and c.refund_id = r.refund_id)), 0) as back
    from payments.payment p left join payments.refund r using (payment_id) where p.status = 'captured' group by 1, 2
)
select count(*) as checked,
    count(*) filter (where w.beyond or w.invoiced - w.credited is distinct from p.amount - p.back) as violations
from whole w left join paid p using (order_id);

-- law: reports hold what the orders say
-- Days that are over for twenty minutes are whole in the reports, and all days once the log was read to its end.
with reached as (
    select case when r.position >= l.last_id and r.as_of > now() - interval '1 minute' then 'infinity'::date
        else (r.as_of - interval '20 minutes')::date end as before
    from analytics.reached r, events.relayed l
), settled as (
    select coalesce(max(before), '-infinity') as before, now() - interval '5 seconds' as quiet from reached
), sold as (
    select day, coalesce(seller_id, 0) as seller_id, count(distinct order_id) as orders, sum(quantity) as units,
        sum(total) as gross
    from (
        select (o.placed_at at time zone 'utc')::date as day, l.seller_id, o.order_id, l.quantity, l.total
        from mirror.placed o join mirror.line l using (order_id)
    ) lines
    group by grouping sets ((day, seller_id), (day))
), whole as (
    select (placed_at at time zone 'utc')::date as day, sum(discount) as discount, sum(tax) as tax,
        sum(shipping) as shipping, max(placed_at) as last
    from mirror.placed group by 1
), cancelled as (
    select day, sum(units) as units, bool_or(fresh) as fresh from mirror.cancelled_units group by 1
)
select count(*) as checked, count(*) filter (where a.orders is distinct from s.orders
    or a.units is distinct from s.units or a.gross is distinct from s.gross or (s.seller_id = 0 and (
        a.discount is distinct from w.discount or a.tax is distinct from w.tax
        or a.shipping is distinct from w.shipping or a.cancelled < coalesce(c.units, 0)))) as violations
from (select * from analytics.day where units > 0 or gross <> 0) a
full join sold s on s.day = a.day and s.seller_id = a.seller_id
left join whole w on w.day = s.day
left join cancelled c on c.day = s.day
cross join settled
where coalesce(a.day, s.day) < settled.before and coalesce(w.last, '-infinity') < settled.quiet
    and not coalesce(c.fresh, false);

-- law: reports hold what the journal says
-- Commission by the day of the order, refunds by the day on which the bank paid them, or sent them back.
with reached as (
    select case when r.position >= l.last_id and r.as_of > now() - interval '1 minute' then 'infinity'::date
        else (r.as_of - interval '20 minutes')::date end as before
    from analytics.reached r, events.relayed l
), settled as (
    select coalesce(max(before), '-infinity') as before, now() - interval '5 seconds' as quiet from reached
), earned as (
    select (o.placed_at at time zone 'utc')::date as day, -sum(u.amount) as amount, max(o.placed_at) as last
    from mirror.placed o join payments.payment p on p.order_id = o.order_id and p.status = 'captured'
    join payments.entry e on e.reference = p.checkout_id and e.kind = 'capture'
    cross join unnest(e.accounts, e.amounts) as u (account, amount)
    where u.account = 'commission' group by 1
), back as (
    select (e.at at time zone 'utc')::date as day,
        sum(case e.kind when 'paid_back' then r.amount else -e.amounts[1] end) as amount, max(e.at) as last
    from payments.entry e join payments.refund r on r.refund_id = e.reference
    join payments.payment p using (payment_id)
    join mirror.placed o on o.order_id = p.order_id
    where e.kind in ('paid_back', 'came_back') group by 1
), days as (
    select day from analytics.day where seller_id = 0 union select day from earned union select day from back
)
select count(*) as checked, count(*) filter (where coalesce(a.commission, 0) <> coalesce(e.amount, 0)
    or coalesce(a.refunds, 0) <> coalesce(b.amount, 0)) as violations
from days d
left join analytics.day a on a.day = d.day and a.seller_id = 0
left join earned e on e.day = d.day
left join back b on b.day = d.day
cross join settled
where d.day < settled.before and coalesce(greatest(e.last, b.last), '-infinity') < settled.quiet;

-- law: reports of sellers add up to the report of all
select count(*) as checked, count(*) filter (where a.units <> s.units or a.gross <> s.gross
    or a.discount <> s.discount or a.tax <> s.tax or a.shipping <> s.shipping or a.commission <> s.commission
    or a.cancelled <> s.cancelled or a.refunds <> s.refunds or a.orders > s.orders) as violations
from analytics.day a cross join lateral (
    select coalesce(sum(orders), 0) as orders, coalesce(sum(units), 0) as units, coalesce(sum(gross), 0) as gross,
        coalesce(sum(discount), 0) as discount, coalesce(sum(tax), 0) as tax, coalesce(sum(shipping), 0) as shipping,
        coalesce(sum(commission), 0) as commission, coalesce(sum(cancelled), 0) as cancelled,
        coalesce(sum(refunds), 0) as refunds
    from analytics.day d where d.day = a.day and d.seller_id <> 0
) s
where a.seller_id = 0;

-- law: all that is sold and paid is in the shop's own currency
with amounts as (
    select currency from catalog.offer where status = 'active'
    union all select currency from mirror.placed
    union all select currency from payments.payment
)
select count(*) as checked, count(*) filter (where a.currency <> s.currency) as violations
from amounts a left join catalog.shop s on true;

-- law: a seller's account is what is pending, available and reserved
-- Lines are written with the capture, but for one by a worker of an earlier release: of the last minute they may still be
-- on their way, and more while the relay or who follows the log is behind, while a purchase runs, or while what that
-- release left is being written.
with followed as (
    select events.has_followed('payments') as is_so
), on_the_way as (
    select e.reference from followed, payments.entry e join payments.payment p on p.checkout_id = e.reference
    where e.kind = 'capture'
        and (not is_so or e.at > now() - interval '1 minute'
            or exists (select from checkout.running r where r.checkout_id = e.reference))
        and not exists (select from payments.earning l where l.order_id = p.order_id and l.reference = e.reference)
), account as (
    select split_part(u.account, ':', 2)::bigint as seller_id, e.currency, -sum(u.amount) as balance
    from payments.entry e, unnest(e.accounts, e.amounts) as u (account, amount)
    where (u.account like 'seller:%' or u.account like 'delivery:%' or u.account like 'tax:%')
        and not (e.kind = 'capture' and e.reference in (select reference from on_the_way))
    group by 1, 2
), state as (
    select l.seller_id, l.currency, payments.state_of(l.kind, l.order_id, p.held, p.available_at, now()) as state,
        sum(l.amount) as amount
    from payments.seller_line l left join payments.seller_part p using (order_id, seller_id)
    where l.payout_id is null group by 1, 2, 3
), states as (
    select seller_id, currency, sum(amount) as amount, bool_and(state in ('pending', 'available', 'reserved')) as known
    from state group by 1, 2
)
select count(*) as checked,
    count(*) filter (where coalesce(a.balance, 0) <> coalesce(s.amount, 0) or not coalesce(s.known, true)) as violations
from account a full join states s using (seller_id, currency) where (select done from payments.filled);

-- law: a statement's lines add up to its payout
with stated as (select payout_id, sum(amount) as amount from payments.seller_line group by 1)
select count(*) as checked,
    count(*) filter (where p.payout_id is null or s.amount is distinct from p.amount) as violations
from payments.payout p full join (select * from stated where payout_id is not null) s using (payout_id);

-- law: a payout is booked as it stands
select count(*) as checked, count(*) filter (where
    b.amounts[1] is distinct from -p.amount
    or b.accounts[1:3] is distinct from array['payouts', 'seller:' || p.seller_id, 'delivery:' || p.seller_id]
    or b.accounts[4:] not in ('{}', array['tax:' || p.seller_id])
    or (o.reference is not null) <> (p.status = 'paid') or o.amounts[1] <> p.amount
    or (f.reference is not null) <> (p.status = 'failed') or f.amounts[1] <> p.amount
    or (l.reference is not null) <> (p.status = 'failed') or l.amount <> p.amount) as violations
from payments.payout p
left join payments.entry b on b.reference = p.payout_id and b.kind = 'payout'
left join payments.entry o on o.reference = p.payout_id and o.kind = 'paid_out'
left join payments.entry f on f.reference = p.payout_id and f.kind = 'payout_failed'
left join payments.seller_line l on l.reference = p.payout_id and l.kind = 'payout_failed' and l.order_id = 0;

-- law: what is owed as payouts is what is pending
with owed as (
    select currency, -sum(amount) as amount
    from payments.entry, unnest(accounts, amounts) as u (account, amount)
    where kind in ('payout', 'paid_out', 'payout_failed') and account = 'payouts' group by 1
), pending as (
    select currency, sum(amount) as amount from payments.payout where status = 'pending' group by 1
)
select count(*) as checked, count(*) filter (where coalesce(o.amount, 0) <> coalesce(p.amount, 0)) as violations
from owed o full join pending p using (currency);

-- law: nothing is paid out before it is available
select count(*) as checked,
    count(*) filter (where l.kind not in ('reserve', 'payout_failed') and l.order_id <> 0
        and (p.available_at is null or p.available_at > o.made_at)) as violations
from payments.seller_line l
join payments.payout o using (payout_id)
left join payments.seller_part p on p.order_id = l.order_id and p.seller_id = l.seller_id;

-- law: one transfer a payout
-- What the sandbox paid is paid, and the other way round; of what is pending it may know already.
select count(*) as checked, count(*) filter (where p.payout_id is null or s.amount is distinct from p.amount
    or p.status = 'failed' and s.state <> 'refused' or p.status = 'paid' and s.state <> 'paid') as violations
from (select * from payments.payout where status <> 'pending' and transfer like 'sandbox/%' or status = 'failed') p
full join payments.sandbox_transfer s on s.key = p.payout_id
where not exists (select from payments.payout w where w.payout_id = s.key and w.status = 'pending');

-- law: no more commission comes back than was taken
-- Of a payment that went back whole all of it did.
with taken as (
    select order_id, seller_id, sum(amount) as amount, sum(-amount) filter (where amount < 0) as whole
    from payments.seller_line where kind in ('commission', 'fee') group by 1, 2
), back as (
    select order_id from payments.payment where status = 'captured' and refunded = amount and amount > 0
)
select count(*) as checked,
    count(*) filter (where t.amount > 0 or b.order_id is not null and t.amount <> 0) as violations
from taken t left join back b using (order_id);

-- law: promotions are used within their limits, as often as their redemptions say
with used as (
    select u.promotion_id, count(*) as uses, sum(u.amount) as spent
    from promotions.redemption, unnest(promotion_ids, amounts) as u (promotion_id, amount)
    where state = 'used' group by 1
)
select count(*) as checked, count(*) filter (where p.uses <> coalesce(u.uses, 0) or p.spent <> coalesce(u.spent, 0)
    or p.uses > p.uses_max or p.spent > p.budget) as violations
from promotions.promotion p left join used u using (promotion_id);

-- law: nobody uses a promotion more often than one may
-- Uses of before it was limited by person were not counted so; who is forgotten is not counted.
with counted as (
    select u.promotion_id, person, count(*) as uses
    from promotions.redemption, unnest(promotion_ids) as u (promotion_id), unnest(persons) person
    where state = 'used' group by 1, 2
)
select count(*) as checked, count(*) filter (where p.uses > p.most
    or p.promotion_id > 0 and p.uses > coalesce(c.uses, 0)) as violations
from promotions.person_use p left join counted c using (promotion_id, person);

-- law: a code for a single use is one purchase's
with used as (
    select u.code, min(checkout_id) as checkout_id, count(*) as purchases
    from promotions.redemption, unnest(codes) as u (code) where state = 'used' and u.code <> '' group by 1
)
select count(*) as checked, count(*) filter (where u.purchases > 1 or c.code is null
    or u.checkout_id is distinct from c.checkout_id) as violations
from (select code, checkout_id from promotions.code where checkout_id is not null) c full join used u using (code);

-- law: a discount that is limited was counted, and is given back with all of its order alone
with asked as (
    select o.order_id, c.checkout_id, (u ->> 0)::bigint as promotion_id, (u ->> 1)::bigint as amount
    from mirror.placed o join checkout.checkout c using (checkout_id), json_array_elements(c.record -> 'uses') u
    where o.reduced
), redeemed as (
    select checkout_id, state, u.promotion_id, u.amount
    from promotions.redemption, unnest(promotion_ids, amounts) as u (promotion_id, amount)
), kept as (
    select distinct order_id from mirror.line l left join mirror.paid_back p using (order_id, order_line_id)
    where coalesce(p.units, 0) < l.quantity and not exists (select from mirror.cancelled c where c.order_id = l.order_id)
)
select count(*) as checked, count(*) filter (where r.amount is distinct from a.amount or r.state = 'refused'
    or r.state = 'given_back' and k.order_id is not null) as violations
from asked a left join redeemed r using (checkout_id, promotion_id) left join kept k using (order_id);

-- law: what is counted of promotions belongs to an order or a running purchase
select count(*) as checked, count(*) filter (where o.order_id is null and c.checkout_id is null) as violations
from promotions.redemption r
left join mirror.placed o on o.order_id = r.order_id
left join checkout.running c on c.checkout_id = r.checkout_id
where r.state = 'used';
