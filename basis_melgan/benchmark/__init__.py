"""Benchmarks: speed in ONNX Runtime beside other vocoders, and multiply-adds beside HiFi-GAN's."""
