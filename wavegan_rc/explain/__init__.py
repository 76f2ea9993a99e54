"""What a configuration will do, before training."""
