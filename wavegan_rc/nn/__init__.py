"""Generator, critic and their layers; plain arguments, no settings."""
