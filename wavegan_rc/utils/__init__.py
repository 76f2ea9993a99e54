"""Helpers without domain knowledge: atomic files, text, CPU cores, optional packages."""
