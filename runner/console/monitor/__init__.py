"""The monitor: one page that shows, live, what the signals and the rollout say of one environment.

`feed` is what it is given, `views` turns that into words and plots, `page` into HTML, `app` serves it.
"""
