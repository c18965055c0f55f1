"""Short files to start from: your own posts, a question to a trained space, somebody new."""
