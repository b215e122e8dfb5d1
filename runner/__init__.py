"""Loop keeps the whole life of a post-trained model in one Git repository.

Each folder is one idea; `docs/architecture.md` says which may import which, and import-linter holds it.
This module stays empty so that `import runner` costs nothing.
"""
