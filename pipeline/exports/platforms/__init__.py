"""The platforms and tools whose own JSON is read: one module each, of records and files to posts."""
