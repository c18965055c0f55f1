"""The tables that pass between stages, each with its schema, key and order."""
