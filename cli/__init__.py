"""What the commands share: flag groups, one-line errors, and flags turned into data, losses and runs."""
