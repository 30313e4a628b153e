"""Facets: what products may be narrowed by, chosen and counted."""
