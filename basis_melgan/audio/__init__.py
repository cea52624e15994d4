"""Sound files, resampling and mel spectrograms, in NumPy alone."""
