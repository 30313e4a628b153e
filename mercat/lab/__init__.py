"""What measures and tries the shop, and makes up goods for it; no shop needs it to sell."""
