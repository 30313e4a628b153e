-- Change: what is told of an order of some lines is over 2 kB with its letter. PostgreSQL would compress it at each
-- write, by the slow method that every build has; stored as it is the row costs less time, and more room.
-- Previous release: does not notice.
alter table notifications.mail set (toast_tuple_target = 8160);
