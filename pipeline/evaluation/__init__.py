"""Interests, clusters, baselines, the tables of the paper."""
