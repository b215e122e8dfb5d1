"""A bookshop assistant in a closed world, so that whether an answer is right can be judged exactly.

`world` and `house` state the facts, `questions` asks about them, `oracle` judges the answers, `traffic`
plays the customers. Every book, author and rule is invented. Called by the data stage of `dvc.yaml`, by
replay and by tests. May not import torch, open a network connection or read the clock.
"""
