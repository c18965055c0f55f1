"""Pictures: features, and their copies."""
