"""Audits of the weights and gradients of a trained generator and its critic."""
