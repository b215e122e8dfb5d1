"""Customers with tastes and habits: they ask, judge, ask again in other words, correct, and come back.

`person` says who they are and what they do about an answer, `novelty` what they ask once the shop sells something new,
`crowd` lets them loose on a gateway. Called by the demo. Unlike a replay, which plays recorded arrivals, what these
people do next depends on what they were answered.
"""
