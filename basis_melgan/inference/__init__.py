"""From a mel to speech without PyTorch: engines that run a vocoder, the vocoder itself, and its stream."""
