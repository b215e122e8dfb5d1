"""Synthetic pairs beside real ones: how many there may be, of which questions, and the mark that stays on them.

A real pair's question is asked in other words, a model answers it twice, and facts or a judge say which answer is
better; the asking is `runner.evaluation.augment`. What is made here is no vote, counts for no standing, and stands in
data sets as synthetic for ever. Pure: no files, no clock, no network.
"""
