"""From a mel to a wave: backends that run a network, the vocoder, its stream, and the sources of synthesis."""
