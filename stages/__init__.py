"""One thin script per DVC stage: read params and tables, call pipeline/, write tables and metrics."""

from pipeline.running.arithmetic import settle
from pipeline.running.machine import share_cores

# Before any library is loaded.
settle()
share_cores()
