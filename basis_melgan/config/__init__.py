"""Every setting: types, validation, presets, and the frame geometry."""
