"""How work runs, never what comes out: errors, files, progress, checkpoints, settings. No stage depends on it."""
