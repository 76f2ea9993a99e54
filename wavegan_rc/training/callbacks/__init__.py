"""Work after a step: checkpoints, measurements, history, previews, trackers."""
