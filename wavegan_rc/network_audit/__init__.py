"""Audits of the weights and gradients of a trained generator and its critic."""

from wavegan_rc.utils.keras_start import start_keras

start_keras()
