"""Pictures from outside, read as the hostile input that they are."""
