"""Pictures: features, and their copies. Arithmetic is as in the stages, so that pairs are judged as in a run."""

from pipeline.running.arithmetic import settle

settle()
