"""Measure segments: numbers with intervals."""
