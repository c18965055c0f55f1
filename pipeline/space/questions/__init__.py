"""What a space is asked in words: terms, spelling, names, and how near is no nearer than chance."""
