"""Losses, the trainable model, and a run from beginning to end."""
