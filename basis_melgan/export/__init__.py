"""Export of a trained vocoder as one ONNX file, in floating point or in 8 bits."""
