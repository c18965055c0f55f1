"""A page to search, open and compare users, images and texts: `make explore`. Nothing imports it."""
