-- Change: reviews are changed, reported, hidden and answered.
-- Previous release: shows hidden reviews as well, and counts right, since the counts are kept here.

alter table reviews.review
    add column edited_at      timestamptz,
    add column hidden_at      timestamptz,
    add column hidden_because text    not null default '',
    add column reports        integer not null default 0 check (reports >= 0),
    add column reply          text    not null default '' check (length(reply) <= 5000),
    add column replied_at     timestamptz;
create index review_reported on reviews.review (review_id desc) where reports > 0 and hidden_at is null;
create index review_hidden on reviews.review (review_id desc) where hidden_at is not null;
create index review_by on reviews.review (user_id, review_id desc);

create table reviews.report (
    review_id bigint      not null references reviews.review on delete cascade,
    user_id   bigint      not null,
    why       text        not null,
    at        timestamptz not null,
    primary key (review_id, user_id)
);

-- One review of so many stars, as counts; none of none.
create function reviews.one(stars smallint) returns bigint[] language sql immutable as $$
    select array[(stars = 1)::int, (stars = 2)::int, (stars = 3)::int, (stars = 4)::int, (stars = 5)::int]::bigint[]
$$;

create function reviews.minus(a bigint[], b bigint[]) returns bigint[] language sql immutable as $$
    select array[a[1] - b[1], a[2] - b[2], a[3] - b[3], a[4] - b[4], a[5] - b[5]]
$$;
