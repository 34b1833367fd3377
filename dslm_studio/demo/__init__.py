"""The demo project: a real domain corpus that every Python installation carries."""
