"""Data sets, the training loop and its checkpoints."""
