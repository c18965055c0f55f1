"""Which side a post is on, and the search for what crosses."""
