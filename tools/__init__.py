"""What keeps the project in order: not imported by any stage."""
