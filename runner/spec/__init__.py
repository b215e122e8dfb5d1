"""What Git says: the types of every YAML file, loading with places, checks across files, generated schemas.

Deciding only: reads files below the repository root, never a network, a subprocess or torch.
"""
