"""What serving one's own model costs and saves, by `policies/cost.yaml` and what was measured.

`statement.state` puts it together; `loop cost`, the weekly report and the plan of a pull request show it. Pure.
"""
