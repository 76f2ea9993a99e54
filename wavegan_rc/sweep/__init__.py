"""Sweeps: grids of settings, the engines that train their cells, record and table."""
