"""Vectors of pictures and of sentences, from frozen networks."""
