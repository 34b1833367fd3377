"""All machine learning, one stage a file. No Django, no app: it runs as its own process."""
