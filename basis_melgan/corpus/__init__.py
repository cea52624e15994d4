"""From sound files to training batches."""
