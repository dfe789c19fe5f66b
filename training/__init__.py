"""From settings to a finished run: the loop, the update, optimizers, checkpoints, monitoring."""
