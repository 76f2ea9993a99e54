"""A trained generator: load, sample, write, export."""

from wavegan_rc.utils.keras_start import start_keras

start_keras()
