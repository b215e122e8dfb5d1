"""Whether a model says the same when it is asked the same again: what it makes up, it makes up differently each time.

Called by the sampler of `runner.evaluation` and by benchmarks, with an answer and some more answers to its question.
It asks no engine, no network and no person; what a model says wrongly every time only `runner.signals.facts` finds.
"""
