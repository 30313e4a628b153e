"""What sellers do: becoming one, their products, a list to upload, orders to ship."""
