"""What operators do: how the shop does, its orders, money and laws, search rules and flash sales."""
