"""Losses, the trainable model, and a run from start to end."""
