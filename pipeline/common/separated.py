"""What tables of separated text have in common, whoever reads them: own tables and exports."""

import string

SEPARATORS = ",;\t|"
"""What separates columns."""
NO_NAME = "\0"
"""The name of a column that has none: R's names of rows, or what a separator behind each row makes."""
AROUND = f"{string.whitespace}\u00a0\u200b\u2060\ufeff"
"""What stands unseen around the names of columns."""
LOOKED_AT = 30
"""Rows among which the header is looked for, below titles and comments."""
