"""The product: a live vLLM deployment is made to agree with a Git repository.

Each folder is one idea; `docs/architecture.md` says which may import which, and import-linter holds it.
This module stays empty so that `import runner` costs nothing.
"""
