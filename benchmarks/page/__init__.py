"""The page of `make explore`, and its map."""
