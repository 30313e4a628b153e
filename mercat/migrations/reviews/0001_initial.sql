-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema reviews;

-- How sure we may be that a review helps: the lower end of the 95 % interval of the share of readers who
-- said so. Source: E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927).
create function reviews.wilson(yes integer, no integer) returns double precision
    language sql immutable as $$
    select case when yes + no = 0 then 0 else
        (yes + 1.9208 - 1.96 * sqrt(yes::float8 * no / (yes + no) + 0.9604)) / (yes + no + 3.8416) end
$$;

create table reviews.review (
    review_id    bigint      primary key,
    product_id   bigint      not null,
    user_id      bigint      not null,
    author       text        not null,
    stars        smallint    not null check (stars between 1 and 5),
    title        text        not null check (length(title) <= 200),
    body         text        not null check (length(body) <= 5000),
    verified     boolean     not null,
    helpful      integer     not null default 0 check (helpful >= 0),
    unhelpful    integer     not null default 0 check (unhelpful >= 0),
    helpfulness  double precision not null generated always as (reviews.wilson(helpful, unhelpful)) stored,
    written_at   timestamptz not null,
    unique (product_id, user_id)
);
create index review_newest on reviews.review (product_id, written_at desc, review_id desc);
create index review_helpful
    on reviews.review (product_id, helpfulness desc, written_at desc, review_id desc);
create index review_stars on reviews.review (product_id, stars desc, written_at desc, review_id desc);

create table reviews.vote (
    review_id  bigint  not null,
    user_id    bigint  not null,
    yes        boolean not null,
    primary key (review_id, user_id)
);

-- Counts of one to five stars: those a product came with, and those written here.
create table reviews.rating (
    product_id  bigint   primary key,
    version     bigint   not null,
    start       bigint[] not null default '{0,0,0,0,0}' check (cardinality(start) = 5 and 0 <= all (start)),
    written     bigint[] not null default '{0,0,0,0,0}' check (cardinality(written) = 5 and 0 <= all (written))
);

-- Our own copy of what orders told us, so that writing a review asks no other service. A cancelled order
-- stays as such: hearing again that it was placed must not bring it back.
create table reviews.bought (
    user_id     bigint not null,
    product_id  bigint not null,
    order_id    bigint not null,
    state       text   not null check (state in ('bought', 'delivered', 'cancelled')),
    primary key (user_id, product_id, order_id)
);

create function reviews.plus(a bigint[], b bigint[]) returns bigint[] language sql immutable as $$
    select array[a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5]]
$$;

create function reviews.total(h bigint[]) returns bigint language sql immutable as $$
    select h[1] + h[2] + h[3] + h[4] + h[5]
$$;

create function reviews.mean(h bigint[]) returns double precision language sql immutable as $$
    select coalesce(
        (h[1] + 2 * h[2] + 3 * h[3] + 4 * h[4] + 5 * h[5])::float8 / nullif(reviews.total(h), 0), 0)
$$;

create function reviews.tell_rating(r reviews.rating) returns pg_lsn language sql as $$
    select events.tell('RatingChanged', jsonb_build_object(
        'event', 'RatingChanged', 'product_id', r.product_id, 'version', r.version, 'histogram', h,
        'rating', reviews.mean(h), 'review_count', reviews.total(h)))
    from reviews.plus(r.start, r.written) as h
$$;
