"""The reconciler: observe everything, plan purely, apply thinly, and begin again.

`desired`, `observed`, `actions`, `intent`, `routing`, `adapters`, `pruning`, `plan` and `memory` only
compute: no network, no subprocess, no clock. `observe`, `apply`, `journal` and `loop` do, through the ports
of `ports`.
"""
