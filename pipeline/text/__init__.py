"""Texts: words, lemmas, near-duplicates."""
