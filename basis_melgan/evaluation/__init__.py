"""What the models are worth: metrics, baselines, pictures, complexity."""
