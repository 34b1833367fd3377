"""The demo: the main job on the Python language reference, through the same services as the browser."""
