"""Weights and data as DVC tracks them: what should be there, what is there, and fetching what is not.

Nothing here imports dvc, whose import alone takes most of a second: its files are read directly, and its
command is run only to fetch.
"""
