"""One thin script per DVC stage: read params and tables, call pipeline/, write tables and metrics."""
