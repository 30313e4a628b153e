"""What recommendations are asked: ids and how many; they answer ids."""

SHELF_MAX = 100
