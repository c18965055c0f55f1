"""The split, training and what is evaluated."""
