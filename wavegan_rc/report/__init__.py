"""Finished runs put side by side: their numbers, verdicts, warnings and figures."""
