"""Sound files, resampling, short-time spectra and mel spectrograms, in NumPy alone."""
