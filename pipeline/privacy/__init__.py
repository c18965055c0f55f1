"""People's data: pseudonyms under a key, who was erased, what stands in texts beside words."""
