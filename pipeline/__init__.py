"""The library: pure functions on arrays and tables. No DVC, no fixed paths; nothing happens on import."""
