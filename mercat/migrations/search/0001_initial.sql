-- Change: what 0.1.0 creates.
-- Previous release: made the same; a shop of 0.1.0 has it already, and this is recorded there as applied.

create schema search;

-- What operators want of searches: a product at a place, a brand that counts more, other words for the same.
create table search.rule (
    rule_id       bigint      primary key,
    kind          text        not null check (kind in ('pin', 'boost', 'synonym')),
    words         text        not null check (length(words) <= 200),
    product_id    bigint,
    place         smallint    check (place between 1 and 20),
    brand         text        check (length(brand) between 1 and 200),
    category      text        check (length(category) between 1 and 200),
    factor        double precision check (factor between 0.1 and 10),
    other         text        check (length(other) between 1 and 200),
    same          boolean,
    starts_on     date,
    ends_on       date,
    version       integer     not null default 1,
    changed_at    timestamptz not null,
    changed_by_id bigint      not null,
    changed_by    text        not null,
    constraint whole_rule check (case kind
        when 'pin' then words <> '' and product_id is not null and place is not null
            and num_nonnulls(brand, category, factor, other, same) = 0
        when 'boost' then num_nonnulls(product_id, brand, category) = 1 and factor is not null
            and num_nonnulls(place, other, same) = 0
        else words <> '' and other is not null and same is not null
            and num_nonnulls(product_id, place, brand, category, factor) = 0 end),
    constraint begins_before_it_ends check (starts_on <= ends_on)
);

-- Who changed what. Kept when the rule is gone: a removed one can be put back.
create table search.rule_change (
    change_id bigint      primary key,
    rule_id   bigint      not null,
    what      text        not null check (what in ('added', 'changed', 'removed')),
    by_id     bigint      not null,
    by_name   text        not null,
    at        timestamptz not null,
    was       jsonb,
    is_now    jsonb,
    constraint says_what check (case what when 'added' then was is null and is_now is not null
        when 'removed' then was is not null and is_now is null else num_nulls(was, is_now) = 0 end)
);

-- What shoppers have searched for with success, as words alone. A later asking weighs more, so old ones fade.
create table search.asked (
    words  text             primary key check (length(words) between 2 and 60),
    times  bigint           not null check (times > 0),
    weight double precision not null check (weight > 0)
);
create index asked_most on search.asked (weight desc);
