"""From a folder of recordings to training batches."""
