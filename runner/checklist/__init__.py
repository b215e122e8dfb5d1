"""The checklist: what a deployment has to have, each point held against what happened and not against what is claimed.

`evidence` asks files, Git, the journal, the event log and the live systems; `facts` are what they said; `points` judge
them and do no I/O; `report` tells it. Nothing here changes anything.
"""
