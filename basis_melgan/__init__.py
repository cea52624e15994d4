"""Basis-MelGAN: mel spectrograms to speech over a basis learned by denoising (arXiv 2106.13419)."""

__version__ = "0.1.0"
