"""Words that stand in pictures."""
