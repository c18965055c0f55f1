"""Corpora: where posts, users and pictures come from, and how they become tables."""
