"""What mathematics says of upsampling layers before anything is trained; NumPy and SciPy only."""
