"""From a trained vocoder to one file that speaks without PyTorch."""
