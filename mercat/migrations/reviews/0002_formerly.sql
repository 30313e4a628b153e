-- Change: which guest somebody was: what they bought then they may review.
-- Previous release: does not know the table; meanwhile such people may not review.

create table reviews.formerly (
    guest_id bigint primary key,
    user_id  bigint not null
);
create index formerly_of on reviews.formerly (user_id);
-- Whose names go from their reviews.
create index review_of on reviews.review (user_id);
