SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA accounts;
ALTER SCHEMA accounts OWNER TO mercat;
CREATE SCHEMA cart;
ALTER SCHEMA cart OWNER TO mercat;
CREATE SCHEMA catalog;
ALTER SCHEMA catalog OWNER TO mercat;
CREATE SCHEMA checkout;
ALTER SCHEMA checkout OWNER TO mercat;
CREATE SCHEMA events;
ALTER SCHEMA events OWNER TO mercat;
CREATE SCHEMA flashsale;
ALTER SCHEMA flashsale OWNER TO mercat;
CREATE SCHEMA fulfilment;
ALTER SCHEMA fulfilment OWNER TO mercat;
CREATE SCHEMA inventory;
ALTER SCHEMA inventory OWNER TO mercat;
CREATE SCHEMA notifications;
ALTER SCHEMA notifications OWNER TO mercat;
CREATE SCHEMA orders;
ALTER SCHEMA orders OWNER TO mercat;
CREATE SCHEMA payments;
ALTER SCHEMA payments OWNER TO mercat;
CREATE SCHEMA recommendations;
ALTER SCHEMA recommendations OWNER TO mercat;
CREATE SCHEMA reviews;
ALTER SCHEMA reviews OWNER TO mercat;
CREATE SCHEMA search;
ALTER SCHEMA search OWNER TO mercat;
CREATE SCHEMA sellers;
ALTER SCHEMA sellers OWNER TO mercat;
CREATE SCHEMA wishlist;
ALTER SCHEMA wishlist OWNER TO mercat;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE catalog.product (
    product_id bigint NOT NULL,
    seller_id bigint NOT NULL,
    external_id text,
    title text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    category_id bigint NOT NULL,
    brand text,
    attributes jsonb DEFAULT '{}'::jsonb NOT NULL,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    images jsonb DEFAULT '[]'::jsonb NOT NULL,
    rating double precision DEFAULT 0 NOT NULL,
    review_count integer DEFAULT 0 NOT NULL,
    histogram integer[] DEFAULT '{0,0,0,0,0}'::integer[] NOT NULL,
    rating_version integer DEFAULT 0 NOT NULL,
    popularity integer DEFAULT 0 NOT NULL,
    content bytea,
    version integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL
);
ALTER TABLE catalog.product OWNER TO mercat;
CREATE FUNCTION catalog.document(p catalog.product) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$
    select jsonb_build_object(
        'product_id', p.product_id, 'offer_id', o.offer_id, 'seller_id', o.seller_id, 'seller_name', o.seller_name,
        'title', p.title, 'description', p.description, 'price', o.price, 'currency', o.currency,
        'created_at', p.created_at, 'external_id', p.external_id, 'brand', p.brand,
        'category', c.slug, 'categories', c.slugs, 'category_names', c.names, 'tags', p.tags,
        'attributes', p.attributes, 'options', p.options, 'rating', p.rating, 'review_count', p.review_count,
        'image_url', coalesce(p.images -> 0 ->> 'url', ''), 'in_stock', o.in_stock, 'popularity', p.popularity)
    from catalog.featured(p.product_id) o, catalog.category c
    where o.offer_id is not null and c.category_id = p.category_id
$$;
ALTER FUNCTION catalog.document(p catalog.product) OWNER TO mercat;
CREATE TABLE catalog.offer (
    offer_id bigint NOT NULL,
    sku_id bigint NOT NULL,
    product_id bigint NOT NULL,
    seller_id bigint NOT NULL,
    seller_name text NOT NULL,
    price bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    in_stock boolean DEFAULT false NOT NULL,
    stock_version integer DEFAULT 0 NOT NULL,
    by_hand boolean DEFAULT false NOT NULL,
    CONSTRAINT active_has_a_price CHECK (((status <> 'active'::text) OR (price > 0))),
    CONSTRAINT offer_price_check CHECK ((price >= 0)),
    CONSTRAINT offer_status_check CHECK ((status = ANY (ARRAY['active'::text, 'paused'::text, 'draft'::text])))
);
ALTER TABLE catalog.offer OWNER TO mercat;
CREATE FUNCTION catalog.featured(product bigint) RETURNS catalog.offer
    LANGUAGE sql STABLE
    AS $$
    select o.* from catalog.offer o where o.product_id = product and o.status = 'active'
    order by o.in_stock desc, o.price, o.offer_id limit 1
$$;
ALTER FUNCTION catalog.featured(product bigint) OWNER TO mercat;
CREATE FUNCTION events.move_on(follower_ text, from_ bigint, to_ bigint) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'events'
    AS $$
    insert into events.position as p (follower, at) values (follower_, to_)
    on conflict (follower) do update set at = excluded.at where p.at = from_
    returning true;
$$;
ALTER FUNCTION events.move_on(follower_ text, from_ bigint, to_ bigint) OWNER TO mercat;
CREATE FUNCTION events.tell(kind text, body jsonb) RETURNS pg_lsn
    LANGUAGE sql
    RETURN pg_logical_emit_message(true, kind, (body)::text);
ALTER FUNCTION events.tell(kind text, body jsonb) OWNER TO mercat;
CREATE FUNCTION events.tell_json(kind text, body text) RETURNS pg_lsn
    LANGUAGE sql
    RETURN pg_logical_emit_message(true, kind, body);
ALTER FUNCTION events.tell_json(kind text, body text) OWNER TO mercat;
CREATE FUNCTION payments.sum_of(amounts bigint[]) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (SELECT (COALESCE(sum(a.a), (0)::numeric))::bigint AS "coalesce" FROM unnest(sum_of.amounts) a(a));
ALTER FUNCTION payments.sum_of(amounts bigint[]) OWNER TO mercat;
CREATE FUNCTION reviews.mean(h bigint[]) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    AS $$
    select coalesce(
        (h[1] + 2 * h[2] + 3 * h[3] + 4 * h[4] + 5 * h[5])::float8 / nullif(reviews.total(h), 0), 0)
$$;
ALTER FUNCTION reviews.mean(h bigint[]) OWNER TO mercat;
CREATE FUNCTION reviews.plus(a bigint[], b bigint[]) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE
    AS $$
    select array[a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5]]
$$;
ALTER FUNCTION reviews.plus(a bigint[], b bigint[]) OWNER TO mercat;
CREATE TABLE reviews.rating (
    product_id bigint NOT NULL,
    version bigint NOT NULL,
    start bigint[] DEFAULT '{0,0,0,0,0}'::bigint[] NOT NULL,
    written bigint[] DEFAULT '{0,0,0,0,0}'::bigint[] NOT NULL,
    CONSTRAINT rating_start_check CHECK (((cardinality(start) = 5) AND (0 <= ALL (start)))),
    CONSTRAINT rating_written_check CHECK (((cardinality(written) = 5) AND (0 <= ALL (written))))
);
ALTER TABLE reviews.rating OWNER TO mercat;
CREATE FUNCTION reviews.tell_rating(r reviews.rating) RETURNS pg_lsn
    LANGUAGE sql
    AS $$
    select events.tell('RatingChanged', jsonb_build_object(
        'event', 'RatingChanged', 'product_id', r.product_id, 'version', r.version, 'histogram', h,
        'rating', reviews.mean(h), 'review_count', reviews.total(h)))
    from reviews.plus(r.start, r.written) as h
$$;
ALTER FUNCTION reviews.tell_rating(r reviews.rating) OWNER TO mercat;
CREATE FUNCTION reviews.total(h bigint[]) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$
    select h[1] + h[2] + h[3] + h[4] + h[5]
$$;
ALTER FUNCTION reviews.total(h bigint[]) OWNER TO mercat;
CREATE FUNCTION reviews.wilson(yes integer, no integer) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    AS $$
    select case when yes + no = 0 then 0 else
        (yes + 1.9208 - 1.96 * sqrt(yes::float8 * no / (yes + no) + 0.9604)) / (yes + no + 3.8416) end
$$;
ALTER FUNCTION reviews.wilson(yes integer, no integer) OWNER TO mercat;
CREATE TABLE accounts.address (
    user_id bigint NOT NULL,
    address_id bigint NOT NULL,
    name text NOT NULL,
    line1 text NOT NULL,
    line2 text,
    city text NOT NULL,
    region text,
    postal_code text NOT NULL,
    country text NOT NULL,
    phone text
);
ALTER TABLE accounts.address OWNER TO mercat;
CREATE TABLE accounts.claimed (
    guest_id bigint NOT NULL,
    user_id bigint NOT NULL
);
ALTER TABLE accounts.claimed OWNER TO mercat;
CREATE TABLE accounts.payment_method (
    user_id bigint NOT NULL,
    payment_method_id bigint NOT NULL,
    token text NOT NULL,
    once boolean DEFAULT false NOT NULL,
    brand text DEFAULT ''::text NOT NULL,
    last4 text DEFAULT ''::text NOT NULL
);
ALTER TABLE accounts.payment_method OWNER TO mercat;
CREATE TABLE accounts.person (
    user_id bigint NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    password text NOT NULL,
    roles text[] DEFAULT '{shopper}'::text[] NOT NULL,
    seller_id bigint,
    opened_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE accounts.person OWNER TO mercat;
CREATE TABLE cart.copy (
    user_id bigint NOT NULL,
    cart_id bigint NOT NULL,
    lines jsonb NOT NULL,
    seq bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='80');
ALTER TABLE cart.copy OWNER TO mercat;
CREATE TABLE catalog.category (
    category_id bigint NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    parent_id bigint,
    slugs text[] NOT NULL,
    names text[] NOT NULL
);
ALTER TABLE catalog.category OWNER TO mercat;
CREATE TABLE catalog.sku (
    sku_id bigint NOT NULL,
    product_id bigint NOT NULL,
    key text DEFAULT ''::text NOT NULL,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    place integer DEFAULT 0 NOT NULL
);
ALTER TABLE catalog.sku OWNER TO mercat;
CREATE TABLE checkout.answer (
    checkout_id bigint NOT NULL,
    status smallint NOT NULL,
    body bytea NOT NULL,
    at timestamp with time zone NOT NULL
);
ALTER TABLE checkout.answer OWNER TO mercat;
CREATE TABLE checkout.checkout (
    checkout_id bigint NOT NULL,
    user_id bigint NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    cart_id bigint,
    record json NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    pass text
);
ALTER TABLE checkout.checkout OWNER TO mercat;
CREATE TABLE checkout.running (
    checkout_id bigint NOT NULL,
    fence integer DEFAULT 1 NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    direction text,
    reason json,
    waits_until timestamp with time zone,
    tries integer DEFAULT 0 NOT NULL,
    begun_at timestamp with time zone NOT NULL,
    parked text,
    CONSTRAINT running_direction_check CHECK ((direction = ANY (ARRAY['forward'::text, 'undo'::text])))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.02');
ALTER TABLE checkout.running OWNER TO mercat;
CREATE TABLE checkout.undoing (
    reference text NOT NULL,
    order_id bigint NOT NULL,
    record json NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    begun_at timestamp with time zone DEFAULT now() NOT NULL,
    parked text,
    done_at timestamp with time zone
);
ALTER TABLE checkout.undoing OWNER TO mercat;
CREATE TABLE events.log (
    id bigint NOT NULL,
    kind text NOT NULL,
    body text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
)
PARTITION BY RANGE (id);
ALTER TABLE events.log OWNER TO mercat_events;
CREATE TABLE events.parked (
    follower text NOT NULL,
    id bigint NOT NULL,
    kind text NOT NULL,
    body text NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE events.parked OWNER TO mercat;
CREATE TABLE events."position" (
    follower text NOT NULL,
    at bigint NOT NULL
);
ALTER TABLE events."position" OWNER TO mercat;
CREATE TABLE events.relayed (
    one boolean DEFAULT true NOT NULL,
    commit pg_lsn NOT NULL,
    facts integer NOT NULL,
    last_id bigint NOT NULL,
    CONSTRAINT relayed_one_check CHECK (one)
);
ALTER TABLE events.relayed OWNER TO mercat;
CREATE TABLE events.worker (
    number smallint NOT NULL,
    holder text,
    until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    spent_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT worker_number_check CHECK (((number >= 0) AND (number <= 63)))
);
ALTER TABLE events.worker OWNER TO mercat;
CREATE TABLE flashsale.action (
    action_id bigint NOT NULL,
    sale_id text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    amount integer,
    why text NOT NULL,
    CONSTRAINT action_why_check CHECK ((why ~ '\S'::text))
);
ALTER TABLE flashsale.action OWNER TO mercat;
ALTER TABLE flashsale.action ALTER COLUMN action_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME flashsale.action_action_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE flashsale.certificate (
    sale_id text NOT NULL,
    body json NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE flashsale.certificate OWNER TO mercat;
CREATE TABLE flashsale.sale (
    sale_id text NOT NULL,
    offer_id bigint NOT NULL,
    product_id bigint NOT NULL,
    title text NOT NULL,
    units integer NOT NULL,
    taken integer DEFAULT 0 NOT NULL,
    sold integer DEFAULT 0 NOT NULL,
    per_person smallint DEFAULT 1 NOT NULL,
    per_card smallint,
    per_address smallint,
    queue boolean DEFAULT true NOT NULL,
    members_only boolean DEFAULT false NOT NULL,
    rate real DEFAULT 100 NOT NULL,
    ceiling integer DEFAULT 1000 NOT NULL,
    window_s integer DEFAULT 300 NOT NULL,
    commitment bytea NOT NULL,
    seed bytea NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone,
    state text DEFAULT 'planned'::text NOT NULL,
    drawn integer,
    roll bytea,
    serving integer DEFAULT 0 NOT NULL,
    joined integer DEFAULT 0 NOT NULL,
    pace real DEFAULT 1 NOT NULL,
    switched_off text[] DEFAULT '{}'::text[] NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    opened_at timestamp with time zone,
    sold_out_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT drawn_before_opened CHECK (((state = ANY (ARRAY['planned'::text, 'ended'::text])) OR ((drawn IS NOT NULL) AND (roll IS NOT NULL)))),
    CONSTRAINT sale_ceiling_check CHECK ((ceiling > 0)),
    CONSTRAINT sale_check CHECK ((sha256(seed) = commitment)),
    CONSTRAINT sale_check1 CHECK ((ends_at > starts_at)),
    CONSTRAINT sale_never_oversold CHECK (((0 <= sold) AND (sold <= taken) AND (taken <= units))),
    CONSTRAINT sale_pace_check CHECK (((pace >= (0)::double precision) AND (pace <= (1)::double precision))),
    CONSTRAINT sale_per_address_check CHECK ((per_address > 0)),
    CONSTRAINT sale_per_card_check CHECK ((per_card > 0)),
    CONSTRAINT sale_per_person_check CHECK (((per_person >= 1) AND (per_person <= 100))),
    CONSTRAINT sale_rate_check CHECK (((rate >= (0)::double precision) AND (rate <= (100000)::double precision))),
    CONSTRAINT sale_sale_id_check CHECK ((sale_id ~ '^[a-z0-9][a-z0-9-]{0,39}$'::text)),
    CONSTRAINT sale_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'open'::text, 'paused'::text, 'ended'::text]))),
    CONSTRAINT sale_units_check CHECK ((units > 0)),
    CONSTRAINT sale_window_s_check CHECK (((window_s >= 1) AND (window_s <= 86400)))
)
WITH (fillfactor='50');
ALTER TABLE flashsale.sale OWNER TO mercat;
CREATE TABLE flashsale.ticket (
    sale_id text NOT NULL,
    number integer NOT NULL,
    user_id bigint NOT NULL,
    owner_id bigint,
    joined_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ticket_number_check CHECK ((number > 0))
);
ALTER TABLE flashsale.ticket OWNER TO mercat;
CREATE TABLE flashsale.turn (
    sale_id text NOT NULL,
    place integer NOT NULL,
    number integer NOT NULL,
    user_id bigint NOT NULL,
    units smallint NOT NULL,
    state text DEFAULT 'issued'::text NOT NULL,
    released_at timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    checkout_id bigint,
    quantity smallint,
    card text,
    address text,
    claimed_at timestamp with time zone,
    settled_at timestamp with time zone,
    CONSTRAINT a_turn_used_was_claimed CHECK (((state <> ALL (ARRAY['claimed'::text, 'used'::text])) OR (checkout_id IS NOT NULL))),
    CONSTRAINT turn_state_check CHECK ((state = ANY (ARRAY['issued'::text, 'claimed'::text, 'used'::text, 'lapsed'::text]))),
    CONSTRAINT turn_units_check CHECK ((units > 0)),
    CONSTRAINT within_the_promise CHECK (((quantity >= 1) AND (quantity <= units)))
)
WITH (fillfactor='50');
ALTER TABLE flashsale.turn OWNER TO mercat;
CREATE TABLE fulfilment.event (
    shipment_id bigint NOT NULL,
    version integer NOT NULL,
    status text NOT NULL,
    location text DEFAULT ''::text NOT NULL,
    at timestamp with time zone NOT NULL
);
ALTER TABLE fulfilment.event OWNER TO mercat;
CREATE TABLE fulfilment.seller_order (
    seller_id bigint NOT NULL,
    order_id bigint NOT NULL,
    placed_at timestamp with time zone NOT NULL,
    status text DEFAULT 'to_ship'::text NOT NULL,
    currency text NOT NULL,
    lines jsonb NOT NULL,
    address jsonb NOT NULL,
    estimated_delivery text DEFAULT ''::text NOT NULL,
    CONSTRAINT seller_order_status_check CHECK ((status = ANY (ARRAY['to_ship'::text, 'partially_shipped'::text, 'shipped'::text, 'delivered'::text, 'cancelled'::text])))
);
ALTER TABLE fulfilment.seller_order OWNER TO mercat;
CREATE TABLE fulfilment.shipment (
    shipment_id bigint NOT NULL,
    order_id bigint NOT NULL,
    user_id bigint NOT NULL,
    seller_id bigint NOT NULL,
    carrier text NOT NULL,
    tracking_number text NOT NULL,
    status text NOT NULL,
    reached smallint DEFAULT 1 NOT NULL,
    location text DEFAULT ''::text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    lines jsonb NOT NULL,
    opened_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT shipment_status_check CHECK ((status = ANY (ARRAY['shipped'::text, 'in_transit'::text, 'out_for_delivery'::text, 'delivered'::text, 'exception'::text])))
);
ALTER TABLE fulfilment.shipment OWNER TO mercat;
CREATE TABLE inventory.movement (
    kind text NOT NULL,
    reference text NOT NULL,
    offer_ids bigint[] NOT NULL,
    location_ids bigint[] NOT NULL,
    quantities integer[] NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT movement_kind_check CHECK ((kind = ANY (ARRAY['received'::text, 'counted'::text, 'sold'::text, 'returned'::text])))
);
ALTER TABLE inventory.movement OWNER TO mercat;
CREATE TABLE inventory.reservation (
    checkout_id bigint NOT NULL,
    state text NOT NULL,
    offer_ids bigint[] NOT NULL,
    location_ids bigint[] NOT NULL,
    quantities integer[] NOT NULL,
    refusal jsonb,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT reservation_check CHECK ((NOT (array_length(offer_ids, 1) IS DISTINCT FROM array_length(quantities, 1)))),
    CONSTRAINT reservation_check1 CHECK ((NOT (array_length(offer_ids, 1) IS DISTINCT FROM array_length(location_ids, 1)))),
    CONSTRAINT reservation_state_check CHECK ((state = ANY (ARRAY['held'::text, 'sold'::text, 'released'::text, 'refused'::text])))
)
WITH (fillfactor='50');
ALTER TABLE inventory.reservation OWNER TO mercat;
CREATE TABLE inventory.stock (
    offer_id bigint NOT NULL,
    location_id bigint DEFAULT 1 NOT NULL,
    on_hand integer DEFAULT 0 NOT NULL,
    reserved integer DEFAULT 0 NOT NULL,
    safety integer DEFAULT 0 NOT NULL,
    low_mark integer DEFAULT 5 NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    seller_id bigint,
    CONSTRAINT never_oversold CHECK ((reserved <= on_hand)),
    CONSTRAINT stock_on_hand_check CHECK ((on_hand >= 0)),
    CONSTRAINT stock_reserved_check CHECK ((reserved >= 0)),
    CONSTRAINT stock_safety_check CHECK ((safety >= 0))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.05');
ALTER TABLE inventory.stock OWNER TO mercat;
CREATE TABLE notifications.mail (
    subject_id bigint NOT NULL,
    kind text NOT NULL,
    channel text NOT NULL,
    mail_id bigint NOT NULL,
    order_id bigint,
    recipient text NOT NULL,
    facts jsonb NOT NULL,
    made_at timestamp with time zone NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    claimed_at timestamp with time zone,
    sent_at timestamp with time zone,
    failure text
);
ALTER TABLE notifications.mail OWNER TO mercat;
ALTER TABLE notifications.mail ALTER COLUMN mail_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME notifications.mail_mail_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE orders.history (
    bucket smallint NOT NULL,
    order_id bigint NOT NULL,
    reference text NOT NULL,
    what text NOT NULL,
    who text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE orders.history OWNER TO mercat;
CREATE TABLE orders.line (
    bucket smallint NOT NULL,
    order_id bigint NOT NULL,
    order_line_id bigint NOT NULL,
    product_id bigint NOT NULL,
    offer_id bigint NOT NULL,
    seller_id bigint NOT NULL,
    title text NOT NULL,
    image_url text DEFAULT ''::text NOT NULL,
    quantity integer NOT NULL,
    shipped integer DEFAULT 0 NOT NULL,
    delivered integer DEFAULT 0 NOT NULL,
    returned integer DEFAULT 0 NOT NULL,
    unit_price bigint NOT NULL,
    total bigint NOT NULL,
    CONSTRAINT line_adds_up CHECK ((total = (unit_price * quantity))),
    CONSTRAINT line_check CHECK (((shipped >= 0) AND (shipped <= quantity))),
    CONSTRAINT line_check1 CHECK (((delivered >= 0) AND (delivered <= shipped))),
    CONSTRAINT line_check2 CHECK (((returned >= 0) AND (returned <= shipped))),
    CONSTRAINT line_quantity_check CHECK ((quantity > 0)),
    CONSTRAINT line_unit_price_check CHECK ((unit_price >= 0))
)
WITH (fillfactor='85');
ALTER TABLE orders.line OWNER TO mercat;
CREATE TABLE orders.orders (
    bucket smallint NOT NULL,
    order_id bigint NOT NULL,
    user_id bigint NOT NULL,
    checkout_id bigint NOT NULL,
    cart_id bigint NOT NULL,
    status text NOT NULL,
    email text DEFAULT ''::text NOT NULL,
    subtotal bigint DEFAULT 0 NOT NULL,
    discount bigint DEFAULT 0 NOT NULL,
    shipping bigint DEFAULT 0 NOT NULL,
    tax bigint DEFAULT 0 NOT NULL,
    total bigint DEFAULT 0 NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    rounding text DEFAULT 'half_up'::text NOT NULL,
    prices_include_tax boolean DEFAULT false NOT NULL,
    shipping_method text DEFAULT ''::text NOT NULL,
    estimated_delivery date,
    address json DEFAULT '{}'::json NOT NULL,
    placed_at timestamp with time zone NOT NULL,
    CONSTRAINT orders_discount_check CHECK ((discount >= 0)),
    CONSTRAINT orders_shipping_check CHECK ((shipping >= 0)),
    CONSTRAINT orders_status_check CHECK ((status = ANY (ARRAY['confirmed'::text, 'partially_shipped'::text, 'shipped'::text, 'delivered'::text, 'cancelled'::text, 'refused'::text]))),
    CONSTRAINT orders_subtotal_check CHECK ((subtotal >= 0)),
    CONSTRAINT orders_tax_check CHECK ((tax >= 0)),
    CONSTRAINT total_adds_up CHECK ((total = (((subtotal - discount) + shipping) +
CASE
    WHEN prices_include_tax THEN (0)::bigint
    ELSE tax
END)))
)
WITH (fillfactor='85');
ALTER TABLE orders.orders OWNER TO mercat;
CREATE TABLE payments.attempt (
    checkout_id bigint NOT NULL,
    ask json NOT NULL,
    reference text DEFAULT ''::text NOT NULL,
    open boolean DEFAULT true NOT NULL,
    at timestamp with time zone NOT NULL,
    customer text DEFAULT ''::text NOT NULL
);
ALTER TABLE payments.attempt OWNER TO mercat;
CREATE TABLE payments.card (
    token text NOT NULL,
    user_id bigint NOT NULL,
    customer text NOT NULL
);
ALTER TABLE payments.card OWNER TO mercat;
CREATE TABLE payments.customer (
    user_id bigint NOT NULL,
    customer text NOT NULL
);
ALTER TABLE payments.customer OWNER TO mercat;
CREATE TABLE payments.entry (
    kind text NOT NULL,
    reference bigint NOT NULL,
    currency text NOT NULL,
    accounts text[] NOT NULL,
    amounts bigint[] NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT entry_balances CHECK ((payments.sum_of(amounts) = 0)),
    CONSTRAINT entry_has_two_sides CHECK (((cardinality(accounts) = cardinality(amounts)) AND (cardinality(accounts) >= 2))),
    CONSTRAINT entry_kind_check CHECK ((kind = ANY (ARRAY['capture'::text, 'refund'::text, 'paid_back'::text, 'came_back'::text])))
);
ALTER TABLE payments.entry OWNER TO mercat;
CREATE TABLE payments.matter (
    case_id bigint NOT NULL,
    provider text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    order_id bigint,
    ours bigint NOT NULL,
    theirs bigint NOT NULL,
    currency text NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    resolved_by text,
    note text,
    CONSTRAINT matter_kind_check CHECK ((kind = ANY (ARRAY['charged_without_payment'::text, 'payment_without_charge'::text, 'amount_differs'::text, 'refund_differs'::text, 'authorisation_left'::text, 'refund_failed'::text])))
);
ALTER TABLE payments.matter OWNER TO mercat;
CREATE TABLE payments.notice (
    provider text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    checkout_id bigint,
    tries integer DEFAULT 0 NOT NULL,
    at timestamp with time zone NOT NULL,
    done_at timestamp with time zone
);
ALTER TABLE payments.notice OWNER TO mercat;
CREATE TABLE payments.payment (
    payment_id bigint NOT NULL,
    checkout_id bigint NOT NULL,
    order_id bigint NOT NULL,
    amount bigint NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL,
    currency text NOT NULL,
    status text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    parts json DEFAULT '{}'::json NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT payment_amount_check CHECK ((amount >= 0)),
    CONSTRAINT payment_refunded_check CHECK ((refunded >= 0)),
    CONSTRAINT payment_status_check CHECK ((status = ANY (ARRAY['captured'::text, 'declined'::text, 'action_required'::text, 'void'::text]))),
    CONSTRAINT refunds_within_capture CHECK ((refunded <= amount))
);
ALTER TABLE payments.payment OWNER TO mercat;
CREATE TABLE payments.reconciled (
    one boolean DEFAULT true NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT reconciled_one_check CHECK (one)
);
ALTER TABLE payments.reconciled OWNER TO mercat;
CREATE TABLE payments.refund (
    refund_id bigint NOT NULL,
    payment_id bigint NOT NULL,
    reference text NOT NULL,
    amount bigint NOT NULL,
    status text NOT NULL,
    parts json NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT refund_amount_check CHECK ((amount > 0)),
    CONSTRAINT refund_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'done'::text, 'failed'::text])))
);
ALTER TABLE payments.refund OWNER TO mercat;
CREATE TABLE payments.sandbox_charge (
    key bigint NOT NULL,
    amount bigint NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL,
    currency text NOT NULL,
    token text NOT NULL,
    state text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sandbox_charge_check CHECK (((refunded >= 0) AND (refunded <= amount))),
    CONSTRAINT sandbox_charge_state_check CHECK ((state = ANY (ARRAY['charged'::text, 'authorised'::text, 'declined'::text, 'challenged'::text, 'cancelled'::text])))
);
ALTER TABLE payments.sandbox_charge OWNER TO mercat;
CREATE TABLE payments.sandbox_refund (
    key bigint NOT NULL,
    charge bigint NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT sandbox_refund_amount_check CHECK ((amount > 0))
);
ALTER TABLE payments.sandbox_refund OWNER TO mercat;
CREATE TABLE recommendations.basket (
    user_id bigint NOT NULL,
    order_id bigint NOT NULL,
    products bigint[] NOT NULL
);
ALTER TABLE recommendations.basket OWNER TO mercat;
CREATE TABLE recommendations.pair (
    product_id bigint NOT NULL,
    other_id bigint NOT NULL,
    orders integer NOT NULL
);
ALTER TABLE recommendations.pair OWNER TO mercat;
CREATE TABLE recommendations.product (
    product_id bigint NOT NULL,
    version bigint NOT NULL,
    category text NOT NULL,
    brand text NOT NULL,
    price bigint NOT NULL,
    rating double precision NOT NULL,
    review_count bigint NOT NULL,
    in_stock boolean NOT NULL,
    standing double precision GENERATED ALWAYS AS (((rating * (review_count)::double precision) / ((review_count + 20))::double precision)) STORED NOT NULL
);
ALTER TABLE recommendations.product OWNER TO mercat;
CREATE TABLE recommendations.sold (
    product_id bigint NOT NULL,
    orders bigint NOT NULL
);
ALTER TABLE recommendations.sold OWNER TO mercat;
CREATE TABLE reviews.bought (
    user_id bigint NOT NULL,
    product_id bigint NOT NULL,
    order_id bigint NOT NULL,
    state text NOT NULL,
    CONSTRAINT bought_state_check CHECK ((state = ANY (ARRAY['bought'::text, 'delivered'::text, 'cancelled'::text])))
);
ALTER TABLE reviews.bought OWNER TO mercat;
CREATE TABLE reviews.review (
    review_id bigint NOT NULL,
    product_id bigint NOT NULL,
    user_id bigint NOT NULL,
    author text NOT NULL,
    stars smallint NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    verified boolean NOT NULL,
    helpful integer DEFAULT 0 NOT NULL,
    unhelpful integer DEFAULT 0 NOT NULL,
    helpfulness double precision GENERATED ALWAYS AS (reviews.wilson(helpful, unhelpful)) STORED NOT NULL,
    written_at timestamp with time zone NOT NULL,
    CONSTRAINT review_body_check CHECK ((length(body) <= 5000)),
    CONSTRAINT review_helpful_check CHECK ((helpful >= 0)),
    CONSTRAINT review_stars_check CHECK (((stars >= 1) AND (stars <= 5))),
    CONSTRAINT review_title_check CHECK ((length(title) <= 200)),
    CONSTRAINT review_unhelpful_check CHECK ((unhelpful >= 0))
);
ALTER TABLE reviews.review OWNER TO mercat;
CREATE TABLE reviews.vote (
    review_id bigint NOT NULL,
    user_id bigint NOT NULL,
    yes boolean NOT NULL
);
ALTER TABLE reviews.vote OWNER TO mercat;
CREATE TABLE search.asked (
    words text NOT NULL,
    times bigint NOT NULL,
    weight double precision NOT NULL,
    CONSTRAINT asked_times_check CHECK ((times > 0)),
    CONSTRAINT asked_weight_check CHECK ((weight > (0)::double precision)),
    CONSTRAINT asked_words_check CHECK (((length(words) >= 2) AND (length(words) <= 60)))
);
ALTER TABLE search.asked OWNER TO mercat;
CREATE TABLE search.rule (
    rule_id bigint NOT NULL,
    kind text NOT NULL,
    words text NOT NULL,
    product_id bigint,
    place smallint,
    brand text,
    category text,
    factor double precision,
    other text,
    same boolean,
    starts_on date,
    ends_on date,
    version integer DEFAULT 1 NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_by_id bigint NOT NULL,
    changed_by text NOT NULL,
    CONSTRAINT begins_before_it_ends CHECK ((starts_on <= ends_on)),
    CONSTRAINT rule_brand_check CHECK (((length(brand) >= 1) AND (length(brand) <= 200))),
    CONSTRAINT rule_category_check CHECK (((length(category) >= 1) AND (length(category) <= 200))),
    CONSTRAINT rule_factor_check CHECK (((factor >= (0.1)::double precision) AND (factor <= (10)::double precision))),
    CONSTRAINT rule_kind_check CHECK ((kind = ANY (ARRAY['pin'::text, 'boost'::text, 'synonym'::text]))),
    CONSTRAINT rule_other_check CHECK (((length(other) >= 1) AND (length(other) <= 200))),
    CONSTRAINT rule_place_check CHECK (((place >= 1) AND (place <= 20))),
    CONSTRAINT rule_words_check CHECK ((length(words) <= 200)),
    CONSTRAINT whole_rule CHECK (
CASE kind
    WHEN 'pin'::text THEN ((words <> ''::text) AND (product_id IS NOT NULL) AND (place IS NOT NULL) AND (num_nonnulls(brand, category, factor, other, same) = 0))
    WHEN 'boost'::text THEN ((num_nonnulls(product_id, brand, category) = 1) AND (factor IS NOT NULL) AND (num_nonnulls(place, other, same) = 0))
    ELSE ((words <> ''::text) AND (other IS NOT NULL) AND (same IS NOT NULL) AND (num_nonnulls(product_id, place, brand, category, factor) = 0))
END)
);
ALTER TABLE search.rule OWNER TO mercat;
CREATE TABLE search.rule_change (
    change_id bigint NOT NULL,
    rule_id bigint NOT NULL,
    what text NOT NULL,
    by_id bigint NOT NULL,
    by_name text NOT NULL,
    at timestamp with time zone NOT NULL,
    was jsonb,
    is_now jsonb,
    CONSTRAINT rule_change_what_check CHECK ((what = ANY (ARRAY['added'::text, 'changed'::text, 'removed'::text]))),
    CONSTRAINT says_what CHECK (
CASE what
    WHEN 'added'::text THEN ((was IS NULL) AND (is_now IS NOT NULL))
    WHEN 'removed'::text THEN ((was IS NOT NULL) AND (is_now IS NULL))
    ELSE (num_nulls(was, is_now) = 0)
END)
);
ALTER TABLE search.rule_change OWNER TO mercat;
CREATE TABLE sellers.seller (
    seller_id bigint NOT NULL,
    user_id bigint,
    name text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT seller_name_check CHECK ((name <> ''::text)),
    CONSTRAINT seller_status_check CHECK ((status = ANY (ARRAY['active'::text, 'suspended'::text])))
);
ALTER TABLE sellers.seller OWNER TO mercat;
CREATE TABLE wishlist.item (
    user_id bigint NOT NULL,
    product_id bigint NOT NULL,
    added_at timestamp with time zone NOT NULL
);
ALTER TABLE wishlist.item OWNER TO mercat;
CREATE TABLE wishlist.list (
    user_id bigint NOT NULL,
    items integer NOT NULL,
    CONSTRAINT list_items_check CHECK (((items >= 0) AND (items <= 1000)))
);
ALTER TABLE wishlist.list OWNER TO mercat;
INSERT INTO catalog.category VALUES (0, 'uncategorised', 'Uncategorised', NULL, '{uncategorised}', '{Uncategorised}');
INSERT INTO events.relayed VALUES (true, '0/0', 0, 0);
INSERT INTO events.worker VALUES (0, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (1, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (2, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (3, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (4, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (5, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (6, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (7, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (8, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (9, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (10, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (11, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (12, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (13, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (14, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (15, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (16, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (17, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (18, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (19, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (20, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (21, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (22, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (23, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (24, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (25, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (26, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (27, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (28, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (29, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (30, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (31, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (32, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (33, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (34, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (35, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (36, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (37, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (38, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (39, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (40, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (41, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (42, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (43, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (44, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (45, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (46, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (47, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (48, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (49, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (50, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (51, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (52, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (53, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (54, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (55, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (56, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (57, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (58, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (59, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (60, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (61, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (62, NULL, '-infinity', '-infinity');
INSERT INTO events.worker VALUES (63, NULL, '-infinity', '-infinity');
INSERT INTO payments.reconciled VALUES (true, '2026-11-28 22:59:10.495497+00');
SELECT pg_catalog.setval('flashsale.action_action_id_seq', 1, false);
SELECT pg_catalog.setval('notifications.mail_mail_id_seq', 1, false);
ALTER TABLE ONLY accounts.address
    ADD CONSTRAINT address_pkey PRIMARY KEY (user_id, address_id);
ALTER TABLE ONLY accounts.claimed
    ADD CONSTRAINT claimed_pkey PRIMARY KEY (guest_id);
ALTER TABLE ONLY accounts.payment_method
    ADD CONSTRAINT payment_method_pkey PRIMARY KEY (user_id, payment_method_id);
ALTER TABLE ONLY accounts.person
    ADD CONSTRAINT person_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY cart.copy
    ADD CONSTRAINT copy_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY catalog.category
    ADD CONSTRAINT category_pkey PRIMARY KEY (category_id);
ALTER TABLE ONLY catalog.category
    ADD CONSTRAINT category_slug_key UNIQUE (slug);
ALTER TABLE ONLY catalog.offer
    ADD CONSTRAINT offer_pkey PRIMARY KEY (offer_id);
ALTER TABLE ONLY catalog.offer
    ADD CONSTRAINT offer_sku_id_seller_id_key UNIQUE (sku_id, seller_id);
ALTER TABLE ONLY catalog.product
    ADD CONSTRAINT product_pkey PRIMARY KEY (product_id);
ALTER TABLE ONLY catalog.sku
    ADD CONSTRAINT sku_pkey PRIMARY KEY (sku_id);
ALTER TABLE ONLY catalog.sku
    ADD CONSTRAINT sku_product_id_key_key UNIQUE (product_id, key);
ALTER TABLE ONLY checkout.answer
    ADD CONSTRAINT answer_pkey PRIMARY KEY (checkout_id);
ALTER TABLE ONLY checkout.checkout
    ADD CONSTRAINT checkout_cart_id_key UNIQUE (cart_id);
ALTER TABLE ONLY checkout.checkout
    ADD CONSTRAINT checkout_pkey PRIMARY KEY (checkout_id);
ALTER TABLE ONLY checkout.checkout
    ADD CONSTRAINT checkout_user_id_key_key UNIQUE (user_id, key);
ALTER TABLE ONLY checkout.running
    ADD CONSTRAINT running_pkey PRIMARY KEY (checkout_id);
ALTER TABLE ONLY checkout.undoing
    ADD CONSTRAINT undoing_pkey PRIMARY KEY (reference);
ALTER TABLE ONLY events.log
    ADD CONSTRAINT log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY events.parked
    ADD CONSTRAINT parked_pkey PRIMARY KEY (follower, id);
ALTER TABLE ONLY events."position"
    ADD CONSTRAINT position_pkey PRIMARY KEY (follower);
ALTER TABLE ONLY events.relayed
    ADD CONSTRAINT relayed_pkey PRIMARY KEY (one);
ALTER TABLE ONLY events.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (number);
ALTER TABLE ONLY flashsale.action
    ADD CONSTRAINT action_pkey PRIMARY KEY (action_id);
ALTER TABLE ONLY flashsale.certificate
    ADD CONSTRAINT certificate_pkey PRIMARY KEY (sale_id);
ALTER TABLE ONLY flashsale.sale
    ADD CONSTRAINT sale_pkey PRIMARY KEY (sale_id);
ALTER TABLE ONLY flashsale.ticket
    ADD CONSTRAINT ticket_pkey PRIMARY KEY (sale_id, number);
ALTER TABLE ONLY flashsale.turn
    ADD CONSTRAINT turn_checkout_id_key UNIQUE (checkout_id);
ALTER TABLE ONLY flashsale.turn
    ADD CONSTRAINT turn_pkey PRIMARY KEY (sale_id, place);
ALTER TABLE ONLY fulfilment.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (shipment_id, version);
ALTER TABLE ONLY fulfilment.seller_order
    ADD CONSTRAINT seller_order_pkey PRIMARY KEY (seller_id, order_id);
ALTER TABLE ONLY fulfilment.shipment
    ADD CONSTRAINT shipment_pkey PRIMARY KEY (shipment_id);
ALTER TABLE ONLY inventory.movement
    ADD CONSTRAINT movement_pkey PRIMARY KEY (reference, kind);
ALTER TABLE ONLY inventory.reservation
    ADD CONSTRAINT reservation_pkey PRIMARY KEY (checkout_id);
ALTER TABLE ONLY inventory.stock
    ADD CONSTRAINT stock_pkey PRIMARY KEY (offer_id, location_id);
ALTER TABLE ONLY notifications.mail
    ADD CONSTRAINT mail_mail_id_key UNIQUE (mail_id);
ALTER TABLE ONLY notifications.mail
    ADD CONSTRAINT mail_pkey PRIMARY KEY (subject_id, kind, channel);
ALTER TABLE ONLY orders.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (bucket, order_id, reference);
ALTER TABLE ONLY orders.line
    ADD CONSTRAINT line_pkey PRIMARY KEY (bucket, order_id, order_line_id);
ALTER TABLE ONLY orders.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (bucket, order_id);
ALTER TABLE ONLY payments.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (checkout_id);
ALTER TABLE ONLY payments.card
    ADD CONSTRAINT card_pkey PRIMARY KEY (token);
ALTER TABLE ONLY payments.customer
    ADD CONSTRAINT customer_customer_key UNIQUE (customer);
ALTER TABLE ONLY payments.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY payments.entry
    ADD CONSTRAINT entry_pkey PRIMARY KEY (reference, kind);
ALTER TABLE ONLY payments.matter
    ADD CONSTRAINT matter_pkey PRIMARY KEY (case_id);
ALTER TABLE ONLY payments.notice
    ADD CONSTRAINT notice_pkey PRIMARY KEY (provider, event_id);
ALTER TABLE ONLY payments.payment
    ADD CONSTRAINT payment_checkout_id_key UNIQUE (checkout_id);
ALTER TABLE ONLY payments.payment
    ADD CONSTRAINT payment_pkey PRIMARY KEY (payment_id);
ALTER TABLE ONLY payments.reconciled
    ADD CONSTRAINT reconciled_pkey PRIMARY KEY (one);
ALTER TABLE ONLY payments.refund
    ADD CONSTRAINT refund_pkey PRIMARY KEY (refund_id);
ALTER TABLE ONLY payments.refund
    ADD CONSTRAINT refund_reference_key UNIQUE (reference);
ALTER TABLE ONLY payments.sandbox_charge
    ADD CONSTRAINT sandbox_charge_pkey PRIMARY KEY (key);
ALTER TABLE ONLY payments.sandbox_refund
    ADD CONSTRAINT sandbox_refund_pkey PRIMARY KEY (key);
ALTER TABLE ONLY recommendations.basket
    ADD CONSTRAINT basket_pkey PRIMARY KEY (user_id, order_id);
ALTER TABLE ONLY recommendations.pair
    ADD CONSTRAINT pair_pkey PRIMARY KEY (product_id, other_id);
ALTER TABLE ONLY recommendations.product
    ADD CONSTRAINT product_pkey PRIMARY KEY (product_id);
ALTER TABLE ONLY recommendations.sold
    ADD CONSTRAINT sold_pkey PRIMARY KEY (product_id);
ALTER TABLE ONLY reviews.bought
    ADD CONSTRAINT bought_pkey PRIMARY KEY (user_id, product_id, order_id);
ALTER TABLE ONLY reviews.rating
    ADD CONSTRAINT rating_pkey PRIMARY KEY (product_id);
ALTER TABLE ONLY reviews.review
    ADD CONSTRAINT review_pkey PRIMARY KEY (review_id);
ALTER TABLE ONLY reviews.review
    ADD CONSTRAINT review_product_id_user_id_key UNIQUE (product_id, user_id);
ALTER TABLE ONLY reviews.vote
    ADD CONSTRAINT vote_pkey PRIMARY KEY (review_id, user_id);
ALTER TABLE ONLY search.asked
    ADD CONSTRAINT asked_pkey PRIMARY KEY (words);
ALTER TABLE ONLY search.rule_change
    ADD CONSTRAINT rule_change_pkey PRIMARY KEY (change_id);
ALTER TABLE ONLY search.rule
    ADD CONSTRAINT rule_pkey PRIMARY KEY (rule_id);
ALTER TABLE ONLY sellers.seller
    ADD CONSTRAINT seller_pkey PRIMARY KEY (seller_id);
ALTER TABLE ONLY sellers.seller
    ADD CONSTRAINT seller_user_id_key UNIQUE (user_id);
ALTER TABLE ONLY wishlist.item
    ADD CONSTRAINT item_pkey PRIMARY KEY (user_id, product_id);
ALTER TABLE ONLY wishlist.list
    ADD CONSTRAINT list_pkey PRIMARY KEY (user_id);
CREATE INDEX claimed_by ON accounts.claimed USING btree (user_id);
CREATE UNIQUE INDEX person_email ON accounts.person USING btree (lower(email));
CREATE UNIQUE INDEX category_names ON catalog.category USING btree (names);
CREATE INDEX offer_product ON catalog.offer USING btree (product_id);
CREATE INDEX offer_seller ON catalog.offer USING btree (seller_id, offer_id);
CREATE UNIQUE INDEX product_external ON catalog.product USING btree (seller_id, external_id);
CREATE INDEX answer_refused ON checkout.answer USING btree (checkout_id) WHERE (status <> 201);
CREATE UNIQUE INDEX one_checkout_a_pass ON checkout.checkout USING btree (pass) WHERE (pass IS NOT NULL);
CREATE INDEX undoing_open ON checkout.undoing USING btree (lease_until) WHERE ((done_at IS NULL) AND (parked IS NULL));
CREATE INDEX actions_of ON flashsale.action USING btree (sale_id, action_id DESC);
CREATE UNIQUE INDEX one_sale_an_offer ON flashsale.sale USING btree (offer_id) WHERE (state <> 'ended'::text);
CREATE UNIQUE INDEX one_turn_a_person ON flashsale.turn USING btree (sale_id, user_id) WHERE (state <> 'lapsed'::text);
CREATE INDEX turns_claimed ON flashsale.turn USING btree (sale_id, place) WHERE (state = 'claimed'::text);
CREATE INDEX turns_issued ON flashsale.turn USING btree (sale_id, until) WHERE (state = 'issued'::text);
CREATE INDEX turns_of ON flashsale.turn USING btree (user_id, sale_id);
CREATE INDEX seller_order_of ON fulfilment.seller_order USING btree (order_id);
CREATE INDEX shipment_order ON fulfilment.shipment USING btree (order_id);
CREATE INDEX mail_claimed ON notifications.mail USING btree (claimed_at) WHERE ((due_at IS NULL) AND (sent_at IS NULL) AND (failure IS NULL));
CREATE INDEX mail_due ON notifications.mail USING btree (due_at, mail_id) WHERE (due_at IS NOT NULL);
CREATE INDEX mail_of ON notifications.mail USING btree (lower(recipient), mail_id DESC);
CREATE INDEX orders_newest ON orders.orders USING btree (order_id DESC);
CREATE INDEX orders_of_user ON orders.orders USING btree (bucket, user_id, order_id DESC);
CREATE INDEX orders_seldom ON orders.orders USING btree (status, order_id DESC) WHERE (status = ANY (ARRAY['partially_shipped'::text, 'shipped'::text, 'cancelled'::text]));
CREATE INDEX attempt_open ON payments.attempt USING btree (at) WHERE open;
CREATE UNIQUE INDEX matter_open ON payments.matter USING btree (provider, kind, subject) WHERE (resolved_at IS NULL);
CREATE INDEX notice_open ON payments.notice USING btree (at) WHERE (done_at IS NULL);
CREATE INDEX payment_order ON payments.payment USING btree (order_id);
CREATE INDEX payment_waiting ON payments.payment USING btree (at) WHERE (status = 'action_required'::text);
CREATE INDEX refund_payment ON payments.refund USING btree (payment_id);
CREATE INDEX pair_most ON recommendations.pair USING btree (product_id, orders DESC, other_id);
CREATE INDEX product_near ON recommendations.product USING btree (category, price, product_id) WHERE in_stock;
CREATE INDEX product_standing ON recommendations.product USING btree (standing DESC, product_id) WHERE in_stock;
CREATE INDEX sold_most ON recommendations.sold USING btree (orders DESC, product_id);
CREATE INDEX review_helpful ON reviews.review USING btree (product_id, helpfulness DESC, written_at DESC, review_id DESC);
CREATE INDEX review_newest ON reviews.review USING btree (product_id, written_at DESC, review_id DESC);
CREATE INDEX review_stars ON reviews.review USING btree (product_id, stars DESC, written_at DESC, review_id DESC);
CREATE INDEX asked_most ON search.asked USING btree (weight DESC);
CREATE UNIQUE INDEX seller_name ON sellers.seller USING btree (lower(name));
ALTER TABLE ONLY catalog.category
    ADD CONSTRAINT category_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES catalog.category(category_id);
ALTER TABLE ONLY catalog.offer
    ADD CONSTRAINT offer_product_id_fkey FOREIGN KEY (product_id) REFERENCES catalog.product(product_id);
ALTER TABLE ONLY catalog.offer
    ADD CONSTRAINT offer_sku_id_fkey FOREIGN KEY (sku_id) REFERENCES catalog.sku(sku_id);
ALTER TABLE ONLY catalog.product
    ADD CONSTRAINT product_category_id_fkey FOREIGN KEY (category_id) REFERENCES catalog.category(category_id);
ALTER TABLE ONLY catalog.sku
    ADD CONSTRAINT sku_product_id_fkey FOREIGN KEY (product_id) REFERENCES catalog.product(product_id);
ALTER TABLE ONLY fulfilment.event
    ADD CONSTRAINT event_shipment_id_fkey FOREIGN KEY (shipment_id) REFERENCES fulfilment.shipment(shipment_id);
ALTER TABLE ONLY payments.refund
    ADD CONSTRAINT refund_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES payments.payment(payment_id);
ALTER TABLE ONLY payments.sandbox_refund
    ADD CONSTRAINT sandbox_refund_charge_fkey FOREIGN KEY (charge) REFERENCES payments.sandbox_charge(key);
CREATE PUBLICATION relay WITH (publish = 'insert, update, delete, truncate');
ALTER PUBLICATION relay OWNER TO mercat;
GRANT USAGE ON SCHEMA accounts TO mercat_accounts;
GRANT USAGE ON SCHEMA cart TO mercat_cart;
GRANT USAGE ON SCHEMA catalog TO mercat_catalog;
GRANT USAGE ON SCHEMA checkout TO mercat_checkout;
GRANT USAGE ON SCHEMA events TO mercat_accounts;
GRANT USAGE ON SCHEMA events TO mercat_catalog;
GRANT USAGE ON SCHEMA events TO mercat_sellers;
GRANT USAGE ON SCHEMA events TO mercat_inventory;
GRANT USAGE ON SCHEMA events TO mercat_payments;
GRANT USAGE ON SCHEMA events TO mercat_orders;
GRANT USAGE ON SCHEMA events TO mercat_cart;
GRANT USAGE ON SCHEMA events TO mercat_checkout;
GRANT USAGE ON SCHEMA events TO mercat_flashsale;
GRANT USAGE ON SCHEMA events TO mercat_fulfilment;
GRANT USAGE ON SCHEMA events TO mercat_reviews;
GRANT USAGE ON SCHEMA events TO mercat_wishlist;
GRANT USAGE ON SCHEMA events TO mercat_recommendations;
GRANT USAGE ON SCHEMA events TO mercat_notifications;
GRANT USAGE ON SCHEMA events TO mercat_search;
GRANT ALL ON SCHEMA events TO mercat_events;
GRANT USAGE ON SCHEMA flashsale TO mercat_flashsale;
GRANT USAGE ON SCHEMA fulfilment TO mercat_fulfilment;
GRANT USAGE ON SCHEMA inventory TO mercat_inventory;
GRANT USAGE ON SCHEMA notifications TO mercat_notifications;
GRANT USAGE ON SCHEMA orders TO mercat_orders;
GRANT USAGE ON SCHEMA payments TO mercat_payments;
GRANT USAGE ON SCHEMA recommendations TO mercat_recommendations;
GRANT USAGE ON SCHEMA reviews TO mercat_reviews;
GRANT USAGE ON SCHEMA search TO mercat_search;
GRANT USAGE ON SCHEMA sellers TO mercat_sellers;
GRANT USAGE ON SCHEMA wishlist TO mercat_wishlist;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE catalog.product TO mercat_catalog;
GRANT ALL ON FUNCTION catalog.document(p catalog.product) TO mercat_catalog;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE catalog.offer TO mercat_catalog;
GRANT ALL ON FUNCTION catalog.featured(product bigint) TO mercat_catalog;
GRANT ALL ON FUNCTION payments.sum_of(amounts bigint[]) TO mercat_payments;
GRANT ALL ON FUNCTION reviews.mean(h bigint[]) TO mercat_reviews;
GRANT ALL ON FUNCTION reviews.plus(a bigint[], b bigint[]) TO mercat_reviews;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE reviews.rating TO mercat_reviews;
GRANT ALL ON FUNCTION reviews.tell_rating(r reviews.rating) TO mercat_reviews;
GRANT ALL ON FUNCTION reviews.total(h bigint[]) TO mercat_reviews;
GRANT ALL ON FUNCTION reviews.wilson(yes integer, no integer) TO mercat_reviews;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE accounts.address TO mercat_accounts;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE accounts.claimed TO mercat_accounts;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE accounts.payment_method TO mercat_accounts;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE accounts.person TO mercat_accounts;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE cart.copy TO mercat_cart;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE catalog.category TO mercat_catalog;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE catalog.sku TO mercat_catalog;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE checkout.answer TO mercat_checkout;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE checkout.checkout TO mercat_checkout;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE checkout.running TO mercat_checkout;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE checkout.undoing TO mercat_checkout;
GRANT ALL ON TABLE events.parked TO mercat_events;
GRANT ALL ON TABLE events."position" TO mercat_events;
GRANT ALL ON TABLE events.relayed TO mercat_events;
GRANT ALL ON TABLE events.worker TO mercat_events;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE flashsale.action TO mercat_flashsale;
GRANT USAGE ON SEQUENCE flashsale.action_action_id_seq TO mercat_flashsale;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE flashsale.certificate TO mercat_flashsale;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE flashsale.sale TO mercat_flashsale;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE flashsale.ticket TO mercat_flashsale;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE flashsale.turn TO mercat_flashsale;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE fulfilment.event TO mercat_fulfilment;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE fulfilment.seller_order TO mercat_fulfilment;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE fulfilment.shipment TO mercat_fulfilment;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE inventory.movement TO mercat_inventory;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE inventory.reservation TO mercat_inventory;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE inventory.stock TO mercat_inventory;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE notifications.mail TO mercat_notifications;
GRANT USAGE ON SEQUENCE notifications.mail_mail_id_seq TO mercat_notifications;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE orders.history TO mercat_orders;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE orders.line TO mercat_orders;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE orders.orders TO mercat_orders;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.attempt TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.card TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.customer TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.entry TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.matter TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.notice TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.payment TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.reconciled TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.refund TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.sandbox_charge TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE payments.sandbox_refund TO mercat_payments;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE recommendations.basket TO mercat_recommendations;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE recommendations.pair TO mercat_recommendations;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE recommendations.product TO mercat_recommendations;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE recommendations.sold TO mercat_recommendations;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE reviews.bought TO mercat_reviews;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE reviews.review TO mercat_reviews;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE reviews.vote TO mercat_reviews;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE search.asked TO mercat_search;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE search.rule TO mercat_search;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE search.rule_change TO mercat_search;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE sellers.seller TO mercat_sellers;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE wishlist.item TO mercat_wishlist;
GRANT SELECT,INSERT,DELETE,TRUNCATE,UPDATE ON TABLE wishlist.list TO mercat_wishlist;