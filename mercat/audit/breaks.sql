-- break: stock is never oversold
alter table inventory.stock drop constraint never_oversold;
insert into inventory.stock (offer_id, location_id, on_hand, reserved) values (-1, 1, 1, 2);

-- break: stock on hand is the sum of its movements
insert into inventory.stock (offer_id, location_id, on_hand) values (-1, 1, 5);

-- break: stock reserved is the sum of live reservations
insert into inventory.reservation (checkout_id, state, offer_ids, location_ids, quantities)
values (-1, 'held', '{-1}', '{1}', '{2}');

-- break: what was sold left the shelf once
insert into inventory.reservation (checkout_id, state, offer_ids, location_ids, quantities)
values (-1, 'sold', '{-1}', '{1}', '{2}');

-- break: a held reservation belongs to a running checkout
insert into inventory.reservation (checkout_id, state, offer_ids, location_ids, quantities, at)
values (-1, 'held', '{-1}', '{1}', '{2}', now() - interval '1 hour');

-- break: order lines add up to the order
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());

-- break: order totals add up
alter table orders.orders drop constraint total_adds_up;
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 99, now());

-- break: an order has one captured payment of its total
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());

-- break: an order has one confirmed reservation of exactly its lines
insert into inventory.reservation (checkout_id, state, offer_ids, location_ids, quantities)
values (-1, 'sold', '{-1}', '{1}', '{2}');

-- break: every journal entry sums to zero
alter table payments.entry drop constraint entry_balances;
insert into payments.entry (kind, reference, currency, accounts, amounts)
values ('capture', -1, 'USD', '{provider,tax}', '{5,-4}');

-- break: the trial balance is zero
alter table payments.entry drop constraint entry_balances;
insert into payments.entry (kind, reference, currency, accounts, amounts)
values ('capture', -1, 'XTS', '{provider,tax}', '{5,-4}');

-- break: every capture and refund is booked
insert into payments.payment (payment_id, checkout_id, order_id, amount, currency, status)
values (-1, -1, -1, 100, 'USD', 'captured');

-- break: what is owed as refunds is what is pending
insert into payments.entry (kind, reference, currency, accounts, amounts)
values ('refund', -1, 'USD', '{refunds,tax}', '{-5,5}');

-- break: refunds never exceed captures
alter table payments.payment drop constraint refunds_within_capture;
insert into payments.payment (payment_id, checkout_id, order_id, amount, refunded, currency, status)
values (-1, -1, -1, 100, 101, 'USD', 'captured');

-- break: every capture belongs to an order or is refunded
insert into payments.payment (payment_id, checkout_id, order_id, amount, currency, status)
values (-1, -1, -1, 100, 'USD', 'captured');

-- break: a cancelled order is refunded
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'cancelled', 100, 100, now());

-- break: nothing stays undecided for longer than fifteen minutes
insert into checkout.running (checkout_id, lease_until, begun_at) values (-1, now(), now() - interval '1 hour');

-- break: one order a key
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
values (-1, -1, 'k', '', '{}', now());
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', now()), (0, -2, -1, -1, -2, 'confirmed', now());

-- break: one order a cart
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', now()), (0, -2, -1, -2, -1, 'confirmed', now());

-- break: what a shopper was told stands
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
values (-1, -1, 'k', '', '{}', now());
insert into checkout.answer (checkout_id, status, body, at) values (-1, 201, '{}', now());

-- break: one successful charge a checkout at the provider
insert into payments.sandbox_charge (key, amount, currency, token, state) values (-1, 100, 'USD', 'tok_visa', 'charged');

-- break: one letter a fact and channel
alter table notifications.mail drop constraint mail_pkey;
insert into notifications.mail (subject_id, kind, channel, recipient, facts, made_at)
select -1, 'confirmation', 'mail', 'x@example.com', '{}', now() from generate_series(1, 2);

-- break: ratings are the sum of their reviews
insert into reviews.rating (product_id, version, written) values (-1, 1, '{0,0,0,0,1}');

-- break: products show the ratings that reviews told
insert into reviews.rating (product_id, version, written) values (-1, 1, '{0,0,0,0,1}');
insert into catalog.product (product_id, seller_id, title, category_id, created_at) values (-1, -1, 'x', 0, now());

-- break: a flash sale sells no more than it offers
insert into flashsale.sale (sale_id, offer_id, product_id, title, units, taken, sold, seed, commitment, starts_at)
values ('broken', -1, -1, 'x', 5, 1, 1, 'x', sha256('x'), now());

-- break: a flash pass buys one order
insert into flashsale.turn (sale_id, place, number, user_id, units, state, released_at, until, checkout_id, quantity)
values ('broken', 1, 1, -1, 1, 'used', now(), now(), -1, 1);

-- break: an order of a flash sale has its pass
insert into flashsale.sale (sale_id, offer_id, product_id, title, units, seed, commitment, starts_at, made_at)
values ('broken', -1, -1, 'x', 5, 'x', sha256('x'), now(), now() - interval '1 hour');
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
values (-1, -1, 'k', '', '{}', now());
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price, total)
values (0, -1, -1, -1, -1, -1, 'x', 1, 1, 1);

-- break: flash passes are released in queue order
insert into flashsale.sale (sale_id, offer_id, product_id, title, units, seed, commitment, starts_at, serving)
values ('broken', -1, -1, 'x', 5, 'x', sha256('x'), now(), 2);
insert into flashsale.turn (sale_id, place, number, user_id, units, released_at, until)
values ('broken', 1, 1, -1, 1, now(), now()), ('broken', 2, 2, -2, 1, now() - interval '1 second', now());

-- break: units on their way back are those of the returns
insert into returns.return (return_id, order_id, user_id, seller_id, status, reason, currency, asked_at)
values (-1, -1, -1, -1, 'requested', 'other', 'USD', now());
insert into returns.line (return_id, order_line_id, product_id, offer_id, title, unit_price, quantity)
values (-1, -1, -1, -1, 'x', 100, 1);

-- break: a return is paid back what came is worth, once
insert into returns.return (return_id, order_id, user_id, seller_id, status, reason, currency, asked_at, received_at,
    ended_at, refunded)
values (-1, -1, -1, -1, 'refunded', 'other', 'USD', now(), now(), now(), 100);

-- break: of what came back the sellable alone is on the shelf, once
insert into returns.return (return_id, order_id, user_id, seller_id, status, reason, currency, asked_at, received_at,
    ended_at)
values (-1, -1, -1, -1, 'closed', 'other', 'USD', now(), now(), now());
insert into returns.line (return_id, order_line_id, product_id, offer_id, title, unit_price, quantity, damaged)
values (-1, -1, -1, -1, 'x', 100, 1, 1);
insert into inventory.movement (kind, reference, offer_ids, location_ids, quantities)
values ('returned', 'return/-1', '{-1}', '{1}', '{1}');

-- break: a unit goes one way
alter table orders.line drop constraint units_go_one_way;
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total, shipped, cancelled, refunded)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100, 1, 1, 1);

-- break: an order's status follows from its units
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'shipped', 100, 100, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100);

-- break: units that are paid back were decided so
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total, refunded)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100, 1);

-- break: what was decided to be paid back is paid back
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100);
insert into orders.history (bucket, order_id, reference, what, who, detail)
values (0, -1, 'refund/-1', 'refunded', 'operator', '{"goods": [],
    "parts": [{"seller_id": -1, "price": 100, "discount": 0, "tax": 0, "shipping": 0}]}');

-- break: no seller's part pays back more than it cost
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100);
insert into orders.history (bucket, order_id, reference, what, who, detail)
values (0, -1, 'refund/-1', 'refunded', 'operator', '{"goods": [],
    "parts": [{"seller_id": -1, "price": 101, "discount": 0, "tax": 0, "shipping": 0}]}');

-- break: invoices and credit notes are numbered without gaps
insert into invoices.issuer (seller_id, invoices) values (-1, 1);

-- break: every seller's part of an order has its invoice
insert into invoices.paper (order_id, seller_id, kind, number, seller_name, currency, price, discount, tax, shipping, issued_at)
values (-2, -1, 'invoice', 1, 'x', 'USD', 100, 0, 0, 0, '2020-01-01');
insert into payments.entry (kind, reference, currency, accounts, amounts, at)
values ('capture', -1, 'USD', '{provider,tax}', '{100,-100}', now() - interval '1 hour');
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, '2020-01-02');
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100);

-- break: every refund that was paid has its credit notes
insert into invoices.paper (order_id, seller_id, kind, number, seller_name, currency, price, discount, tax, shipping, issued_at)
values (-1, -1, 'invoice', 1, 'x', 'USD', 100, 0, 0, 0, now());
insert into payments.payment (payment_id, checkout_id, order_id, amount, refunded, currency, status)
values (-1, -1, -1, 100, 50, 'USD', 'captured');
insert into payments.refund (refund_id, payment_id, reference, amount, status, parts)
values (-1, -1, 'cancel/-1', 50, 'done', '{}');
insert into payments.entry (kind, reference, currency, accounts, amounts, at)
values ('paid_back', -1, 'USD', '{refunds,provider}', '{50,-50}', now() - interval '1 hour');

-- break: invoices less credit notes are what remains of the money
insert into invoices.paper (order_id, seller_id, kind, number, seller_name, currency, price, discount, tax, shipping, issued_at)
values (-1, -1, 'invoice', 1, 'x', 'USD', 90, 0, 0, 0, now());
insert into payments.payment (payment_id, checkout_id, order_id, amount, currency, status)
values (-1, -1, -1, 100, 'USD', 'captured');
