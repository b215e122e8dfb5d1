"""What the votes of the arena say: how strong each version is, how sure that is, and what may mislead.

`compute` is the way in; the report and the command line call it. Computation only: ballots, rules and a generator of
random numbers in, frozen values out. A strength is a natural logarithm of odds, and strengths add up to 0.
"""
