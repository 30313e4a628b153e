-- Change: a line of a seller's account may be tax that they remit themselves.
-- Previous release: books all tax as the shop's; what was booked as a seller's it leaves there.

-- Not validated here: that would read a large table under the lock of this migration. 0010 does.
alter table payments.seller_line drop constraint seller_line_kind_check;
alter table payments.seller_line add constraint seller_line_kind_check
    check (kind in ('sale', 'commission', 'fee', 'delivery', 'tax', 'discount', 'refund', 'reserve', 'release',
    'payout_failed')) not valid;
