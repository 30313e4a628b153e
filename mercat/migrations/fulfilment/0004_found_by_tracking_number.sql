-- Change: orders are found by the tracking number of a parcel.
-- Previous release: does not notice.
-- not in a transaction

create index concurrently shipment_tracked on fulfilment.shipment (lower(tracking_number), order_id desc);
