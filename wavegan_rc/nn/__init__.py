"""Generator, critic and their layers, built from plain arguments."""
