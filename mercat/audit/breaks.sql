-- break: stock is never oversold
-- Where a law joins orders with something else it is broken twice: on one side, and on the other.
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

-- break: an order has one captured payment of its total
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into payments.payment (payment_id, checkout_id, order_id, amount, refunded, currency, status)
values (-1, -1, -1, 90, 0, 'USD', 'captured');

-- break: an order has one confirmed reservation of exactly its lines
insert into inventory.reservation (checkout_id, state, offer_ids, location_ids, quantities)
values (-1, 'sold', '{-1}', '{1}', '{2}');

-- break: an order has one confirmed reservation of exactly its lines
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100);

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

-- break: every capture belongs to an order or is refunded
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
values (0, -1, -1, -1, -1, 'refused', now());
insert into payments.payment (payment_id, checkout_id, order_id, amount, refunded, currency, status)
values (-1, -1, -1, 100, 0, 'USD', 'captured');

-- break: a cancelled order is refunded
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'cancelled', 100, 100, now());

-- break: a cancelled order is refunded
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'cancelled', 100, 100, now());
insert into payments.payment (payment_id, checkout_id, order_id, amount, refunded, currency, status)
values (-1, -1, -1, 100, 40, 'USD', 'captured');

-- break: what a cancelled order was booked on is given back, account by account
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, discount, total, placed_at)
values (0, -1, -1, -1, -1, 'cancelled', 100, 100, 0, now());
insert into payments.payment (payment_id, checkout_id, order_id, amount, currency, status)
values (-1, -1, -1, 0, 'USD', 'captured');
insert into payments.entry (kind, reference, currency, accounts, amounts)
values ('capture', -1, 'USD', '{provider,seller:1,discounts}', '{0,-100,100}');

-- break: what a cancelled order was booked on is given back, account by account
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'cancelled', 100, 100, now());
insert into payments.payment (payment_id, checkout_id, order_id, amount, refunded, currency, status)
values (-1, -1, -1, 100, 100, 'USD', 'captured');
insert into payments.refund (refund_id, payment_id, reference, amount, status, parts)
values (-2, -1, 'cancel/-1', 100, 'done', '{}');
insert into payments.entry (kind, reference, currency, accounts, amounts)
values ('capture', -1, 'USD', '{provider,seller:1}', '{100,-100}'), ('refund', -2, 'USD', '{refunds,seller:2}', '{-100,100}');

-- break: nothing stays undecided for longer than fifteen minutes
insert into checkout.running (checkout_id, lease_until, begun_at) values (-1, now(), now() - interval '1 hour');

-- break: one order a key
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
values (-1, -1, 'k', '', '{}', now());
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', now()), (0, -2, -1, -1, -2, 'confirmed', now());

-- break: one order a key
alter table checkout.checkout drop constraint checkout_user_id_key_key;
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
values (-1, -1, 'k', '', '{}', now()), (-2, -1, 'k', '', '{}', now());
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', now()), (0, -2, -1, -2, -2, 'confirmed', now());

-- break: one order a cart
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', now()), (0, -2, -1, -2, -1, 'confirmed', now());

-- break: what a shopper was told stands
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
values (-1, -1, 'k', '', '{}', now());
insert into checkout.answer (checkout_id, status, body, at) values (-1, 201, '{}', now());

-- break: what a shopper was told stands
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
values (-1, -1, 'k', '', '{}', now());
insert into checkout.answer (checkout_id, status, body, at) values (-1, 409, '{}', now());

-- break: one successful charge a checkout at the provider
insert into payments.sandbox_charge (key, amount, currency, token, state) values (-1, 100, 'USD', 'tok_visa', 'charged');

-- break: what is on gift cards and store credit is the sum of its movements
insert into payments.stored_value (value_id, kind, user_id, balance, currency, made_at)
values (-1, 'store_credit', -1, 5, 'USD', now());

-- break: what is on gift cards and store credit is owed in the books
insert into payments.stored_value (value_id, kind, user_id, balance, currency, made_at)
values (-1, 'store_credit', -1, 5, 'USD', now());
insert into payments.value_movement (reference, kind, value_id, amount, at) values (-1, 'issued', -1, 5, now());

-- break: a gift card that was bought is a unit of its order that was handed over, for what that cost
insert into payments.stored_value (value_id, kind, code_hash, initial, balance, currency, made_at)
values (-1, 'gift_card', 'x', 5, 5, 'USD', now());
insert into payments.sold_gift_card (order_line_id, place, order_id, value_id) values (-1, 0, -1, -1);

-- break: a gift card that was bought is a unit of its order that was handed over, for what that cost
insert into payments.stored_value (value_id, kind, code_hash, initial, balance, currency, made_at)
values (-1, 'gift_card', 'x', 100, 100, 'USD', now());
insert into payments.sold_gift_card (order_line_id, place, order_id, value_id) values (-1, 0, -1, -1);
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total, shipped)
values (0, -1, -1, -1, -1, -1, 'x', 2, 100, 200, 2);

-- break: only what was paid back of gift cards is void
insert into payments.stored_value (value_id, kind, code_hash, initial, balance, currency, status, made_at)
values (-1, 'gift_card', 'x', 5, 0, 'USD', 'disabled', now());
insert into payments.sold_gift_card (order_line_id, place, order_id, value_id, voided_at) values (-1, 0, -1, -1, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price, total)
values (0, -1, -1, -1, -1, -1, 'x', 1, 5, 5);

-- break: only what was paid back of gift cards is void
insert into payments.stored_value (value_id, kind, code_hash, initial, balance, currency, status, made_at)
values (-1, 'gift_card', 'x', 100, 0, 'USD', 'active', now());
insert into payments.sold_gift_card (order_line_id, place, order_id, value_id, voided_at) values (-1, 0, -1, -1, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total, shipped, returned, refunded)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100, 1, 1, 1);

-- break: a gift card that was paid back was taken with all that it had cost
insert into payments.stored_value (value_id, kind, code_hash, initial, balance, currency, status, made_at)
values (-1, 'gift_card', 'x', 5, 0, 'USD', 'disabled', now());
insert into payments.sold_gift_card (order_line_id, place, order_id, value_id, voided_at, refund)
values (-1, 0, -1, -1, now(), 'refund/-1');

-- break: a payment took what it was tendered, and nothing is held for who does not buy
insert into payments.payment (payment_id, checkout_id, order_id, amount, tendered, currency, status)
values (-1, -1, -1, 100, 40, 'USD', 'captured');

-- break: no gift card is spent by an order that was refused
insert into payments.stored_value (value_id, kind, user_id, balance, currency, made_at)
values (-1, 'store_credit', -1, 0, 'USD', now());
insert into payments.tender (checkout_id, value_id, payment_id, place, amount, state, at)
values (-1, -1, -1, 0, 5, 'taken', now());

-- break: no gift card is spent by an order that was refused
insert into payments.stored_value (value_id, kind, user_id, balance, currency, made_at)
values (-1, 'store_credit', -1, 0, 'USD', now());
insert into payments.tender (checkout_id, value_id, payment_id, place, amount, state, at)
values (-1, -1, -1, 0, 5, 'taken', now());
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
values (0, -1, -1, -1, -1, 'refused', now());

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

-- break: a flash pass buys one order
insert into flashsale.sale (sale_id, offer_id, product_id, title, units, seed, commitment, starts_at)
values ('broken', -1, -1, 'x', 5, 'x', sha256('x'), now());
insert into flashsale.turn (sale_id, place, number, user_id, units, state, released_at, until, checkout_id, quantity)
values ('broken', 1, 1, -1, 1, 'used', now(), now(), -1, 1);
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at, pass)
values (-1, -1, 'k', '', '{}', now(), 'broken/1');
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total)
values (0, -1, -1, -1, -1, -1, 'x', 2, 100, 200);

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

-- break: units on their way back are those of the returns
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total, shipped, coming_back)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100, 1, 1);

-- break: a return is paid back what came is worth, once
insert into returns.return (return_id, order_id, user_id, seller_id, status, reason, currency, asked_at, received_at,
    ended_at, refunded)
values (-1, -1, -1, -1, 'refunded', 'other', 'USD', now(), now(), now(), 100);

-- break: a return is paid back what came is worth, once
insert into returns.return (return_id, order_id, user_id, seller_id, status, reason, currency, asked_at, received_at,
    ended_at)
values (-1, -1, -1, -1, 'refunded', 'other', 'USD', now(), now(), now());
insert into orders.history (bucket, order_id, reference, what, who, detail)
values (0, -1, 'return/-1/received', 'returned', 'seller', '{"goods": [],
    "parts": [{"seller_id": -1, "price": 100, "discount": 0, "tax": 0, "shipping": 0}]}');

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

-- break: what was decided to be paid back is paid back
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, now());
insert into payments.payment (payment_id, checkout_id, order_id, amount, refunded, currency, status)
values (-1, -1, -1, 100, 50, 'USD', 'captured');
insert into payments.refund (refund_id, payment_id, reference, amount, status, parts)
values (-1, -1, 'refund/-1', 50, 'done', '{}');

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

-- break: reports hold what the orders say
insert into analytics.reached (position, as_of) values (0, now()) on conflict (one) do update set as_of = now();
insert into analytics.day (day, seller_id, orders, units, gross, discount, tax, shipping, commission, cancelled, refunds)
values ('2001-01-01', 0, 1, 1, 100, 0, 0, 0, 0, 0, 0);

-- break: reports hold what the orders say
insert into analytics.reached (position, as_of) values (0, now()) on conflict (one) do update set as_of = now();
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, '2001-01-01');
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100);

-- break: reports hold what the journal says
insert into analytics.reached (position, as_of) values (0, now()) on conflict (one) do update set as_of = now();
insert into analytics.day (day, seller_id, orders, units, gross, discount, tax, shipping, commission, cancelled, refunds)
values ('2001-01-01', 0, 0, 0, 0, 0, 0, 0, 0, 0, 100);

-- break: reports hold what the journal says
insert into analytics.reached (position, as_of) values (0, now()) on conflict (one) do update set as_of = now();
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, total, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 100, 100, '2001-01-01');
insert into payments.payment (payment_id, checkout_id, order_id, amount, refunded, currency, status)
values (-1, -1, -1, 100, 0, 'USD', 'captured');
insert into payments.entry (kind, reference, currency, accounts, amounts)
values ('capture', -1, 'USD', '{provider,commission}', '{100,-100}');

-- break: reports of sellers add up to the report of all
insert into analytics.day (day, seller_id, orders, units, gross, discount, tax, shipping, commission, cancelled, refunds)
values ('2001-01-01', 0, 1, 1, 100, 0, 0, 0, 0, 0, 0);

-- break: all that is sold and paid is in the shop's own currency
insert into catalog.shop (currency) values ('USD') on conflict do nothing;
insert into catalog.offer (offer_id, sku_id, product_id, seller_id, seller_name, price, currency, status)
values (-1, -1, -1, -1, '', 100, 'XXX', 'active');

-- break: all that is sold and paid is in the shop's own currency
insert into catalog.shop (currency) values ('USD') on conflict do nothing;
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, currency, placed_at)
values (0, -1, -1, -1, -1, 'confirmed', 'XXX', now());

-- break: a seller's account is what is pending, available and reserved
insert into payments.earning (order_id, seller_id, reference, kinds, amounts, currency, at)
values (-1, -1, -1, '{sale}', '{100}', 'USD', now());

-- break: a statement's lines add up to its payout
insert into payments.payee (seller_id) values (-1);
insert into payments.payout (payout_id, seller_id, run, amount, currency, destination, account, made_at)
values (-1, -1, 'x', 100, 'USD', 'x', 'x', now());

-- break: a payout is booked as it stands
insert into payments.payee (seller_id) values (-1);
insert into payments.payout (payout_id, seller_id, run, amount, currency, destination, account, made_at, status)
values (-1, -1, 'x', 100, 'USD', 'x', 'x', now(), 'paid');
insert into payments.entry (kind, reference, currency, accounts, amounts)
values ('payout', -1, 'USD', '{payouts,seller:-1,delivery:-1}', '{-100,100,0}');

-- break: what is owed as payouts is what is pending
insert into payments.entry (kind, reference, currency, accounts, amounts)
values ('payout', -1, 'USD', '{payouts,seller:-1,delivery:-1}', '{-100,100,0}');

-- break: nothing is paid out before it is available
insert into payments.payee (seller_id) values (-1);
insert into payments.payout (payout_id, seller_id, run, amount, currency, destination, account, made_at)
values (-1, -1, 'x', 100, 'USD', 'x', 'x', now());
insert into payments.seller_part (order_id, seller_id) values (-1, -1);
insert into payments.earning (order_id, seller_id, reference, kinds, amounts, currency, at, payout_id)
values (-1, -1, -1, '{sale}', '{100}', 'USD', now(), -1);

-- break: one transfer a payout
insert into payments.sandbox_transfer (key, amount, currency, destination, state) values (-1, 100, 'USD', 'x', 'paid');

-- break: no more commission comes back than was taken
insert into payments.earning (order_id, seller_id, reference, kinds, amounts, currency, at)
values (-1, -1, -1, '{commission}', '{100}', 'USD', now());

-- break: promotions are used within their limits, as often as their redemptions say
insert into promotions.promotion (promotion_id, name, has_codes, rule, combines, by_seller, priority, uses, created_at)
values (-1, 'x', false, '{}', true, false, 0, 1, now());

-- break: nobody uses a promotion more often than one may
alter table promotions.person_use drop constraint person_within_limit;
insert into promotions.person_use (promotion_id, person, uses, most) values (0, 'u:-1', 2, 1);

-- break: a code for a single use is one purchase's
insert into promotions.redemption (checkout_id, order_id, state, promotion_ids, amounts, codes, persons, at)
values (-1, -1, 'used', '{-1}', '{5}', '{once}', '{}', now()), (-2, -2, 'used', '{-1}', '{5}', '{once}', '{}', now());

-- break: a discount that is limited was counted, and is given back with all of its order alone
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
values (-1, -1, 'x', '', '{"uses": [[-1, 5, "", "x"]]}', now());
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, discount, total, placed_at, discounts)
values (0, -1, -1, -1, -1, 'confirmed', 100, 5, 95, now(), '[{"promotion_id": -1, "amount": 5}]');

-- break: a discount that is limited was counted, and is given back with all of its order alone
insert into checkout.checkout (checkout_id, user_id, key, fingerprint, record, begun_at)
values (-1, -1, 'k', '', '{"uses": [[-1, 5, "", "x"]]}', now());
insert into promotions.redemption (checkout_id, order_id, state, promotion_ids, amounts, codes, persons, at)
values (-1, -1, 'given_back', '{-1}', '{5}', '{""}', '{}', now());
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, subtotal, discount, total, placed_at, discounts)
values (0, -1, -1, -1, -1, 'confirmed', 100, 5, 95, now(), '[{"promotion_id": -1, "amount": 5}]');
insert into orders.line (bucket, order_id, order_line_id, product_id, offer_id, seller_id, title, quantity, unit_price,
    total)
values (0, -1, -1, -1, -1, -1, 'x', 1, 100, 100);

-- break: what is counted of promotions belongs to an order or a running purchase
insert into promotions.redemption (checkout_id, order_id, state, promotion_ids, amounts, codes, persons, at)
values (-1, -1, 'used', '{-1}', '{5}', '{""}', '{}', now());

-- break: what is counted of promotions belongs to an order or a running purchase
insert into orders.orders (bucket, order_id, user_id, checkout_id, cart_id, status, placed_at)
values (0, -1, -1, -1, -1, 'refused', now());
insert into promotions.redemption (checkout_id, order_id, state, promotion_ids, amounts, codes, persons, at)
values (-1, -1, 'used', '{-1}', '{5}', '{""}', '{}', now());
