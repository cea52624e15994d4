"""Sound files, resampling and mel spectrograms. Never imports PyTorch."""
