"""Whether what an answer says agrees with facts that a team wrote down: a model can be wrong the same way every time.

Called by the sampler of `runner.evaluation` and by benchmarks. It knows no subject: facts are sentences, or questions
with their answers, in English or Korean, and are compared by the values that stand in them.
"""
