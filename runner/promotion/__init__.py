"""How a version that was evaluated comes to a pull request, and from one environment to the next.

Drafts are pure: the change of loop.yaml and the words for reviewers. What writes to Git is `runner.git`.
Nothing here merges anything.
"""
