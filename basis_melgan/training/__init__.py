"""Training of separators and vocoders: losses, optimizers, the training loop, and fine-tuning."""
