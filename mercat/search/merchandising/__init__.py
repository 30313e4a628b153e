"""Merchandising: the pins, boosts and synonyms that operators set."""
