"""What the training stages share: plain functions around one loop. See docs/training.md."""
