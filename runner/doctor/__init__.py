"""What a machine and a repository lack to run a deployment: looked at, judged, and each with what to do.

Called by `loop doctor`. One module an area: it looks, within a time, and judges by pure functions what it saw. Nothing
is changed anywhere, nothing that is asked may hold it up, and no secret is repeated.
"""
