"""Limits of recommendations, which are asked by ids and answer ids."""

SHELF_MAX = 100
