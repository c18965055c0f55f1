"""One thin script per DVC stage: read params and tables, call pipeline/, write tables and metrics."""

import gc
import sys

from pipeline.running.arithmetic import settle
from pipeline.running.machine import share_cores

# Before any library is loaded.
settle()
share_cores()
if sys.argv[0] == "-m":  # this is the stage that Python starts, which `run` follows
    gc.disable()
