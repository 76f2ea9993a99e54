"""Generator, critic and their layers, built from plain arguments."""

from wavegan_rc.utils.keras_start import start_keras

start_keras()
