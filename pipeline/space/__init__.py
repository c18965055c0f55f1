"""What a trained space is asked: nearest neighbours, new users."""
