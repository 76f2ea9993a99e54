"""Grids of runs: their cells, the engines that train them, what is shown and kept of them."""
