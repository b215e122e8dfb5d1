"""Training with TRL and PEFT; nothing else in the product imports torch.

Called as `python -m runner.training.NAME` by the stages of `dvc.yaml`, each of which is one flat recipe.
Reads data files and policies, writes weights and records beside them; knows nothing of engines, gateways
or the small world.
"""
