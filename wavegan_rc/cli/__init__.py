"""The command line: arguments become settings, settings become work, mistakes one line."""
