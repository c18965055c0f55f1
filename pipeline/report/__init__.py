"""The report: one HTML file that opens offline, made of sections that each say what to see."""
