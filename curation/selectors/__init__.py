"""What pages and other apps read: a file a subject."""
