"""Recordings become training segments."""
