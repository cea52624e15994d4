"""All settings: their types, validation and presets, and the frame geometry."""
