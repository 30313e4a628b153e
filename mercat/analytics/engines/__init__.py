"""Engines that keep facts and answer questions about them; each has its questions beside it, as SQL."""
