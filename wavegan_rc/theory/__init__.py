"""Mathematics of upsampling layers, known before training; NumPy and SciPy only."""
