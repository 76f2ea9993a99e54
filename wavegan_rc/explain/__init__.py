"""Effects of a configuration, predicted before training."""
