"""Texts, their words and vectors, and exports."""
