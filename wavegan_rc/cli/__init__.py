"""Commands: parse and check arguments, run the work, print results and one-line errors."""
