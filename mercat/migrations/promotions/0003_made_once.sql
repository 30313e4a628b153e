-- Change: a promotion, and codes of one, that are asked for twice under one key are made once.
-- Previous release: names its columns and knows no keys.

alter table promotions.promotion add column once bytea;
create unique index promotion_once on promotions.promotion (coalesce(seller_id, 0), once) where once is not null;

create table promotions.codes_made (
    promotion_id bigint not null references promotions.promotion,
    once         bytea  not null,
    primary key (promotion_id, once)
);
