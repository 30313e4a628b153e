"""Ranking: the second stage of search, its features, its model, and how both are measured."""
