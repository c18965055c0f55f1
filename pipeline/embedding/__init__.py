"""The joint embedding of users, images and texts, and its training."""
