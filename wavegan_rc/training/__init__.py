"""Losses, the trainable model, and a run from start to end."""

from wavegan_rc.utils.keras_start import start_keras

start_keras()
