"""People's own exports, of a dozen tools, as the table that the import takes."""
