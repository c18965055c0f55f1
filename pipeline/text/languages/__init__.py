"""The language of a post, and what a language makes of its words."""
