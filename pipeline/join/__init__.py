"""Near-copies among texts, by the sets of their words: a set similarity join."""
