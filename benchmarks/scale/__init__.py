"""What a corpus of a size takes: posts, pictures, engines, a GPU."""
