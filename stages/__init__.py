"""One thin script per DVC stage: read params and tables, call pipeline/, write tables and metrics."""

from pipeline.running.arithmetic import settle

settle()  # before any library is loaded
