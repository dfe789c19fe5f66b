"""The training loop and what it needs: steps, optimizers, averages, checkpoints, monitoring. Knows no network by name."""
