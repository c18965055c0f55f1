"""Vectors of pictures, from frozen networks."""
