"""Queries: words read, spelling mended, synonyms, filters, suggestions."""
