-- Change: the record of a purchase of some lines is over 2 kB. PostgreSQL would compress it at each write, by the
-- slow method that every build has; stored as it is the row costs less time, and more room.
-- Previous release: does not notice.
alter table checkout.checkout set (toast_tuple_target = 8160);
