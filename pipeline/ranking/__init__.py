"""Ranks of the ground truth, and their intervals."""
