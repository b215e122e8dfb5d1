"""A quarter of production in minutes, with every real part, that fails where anything it tells did not happen.

`story` tells the quarter chapter by chapter, `place` holds the scratch repositories and runs `loop` in them as an
engineer would, `quarter` shortens days to seconds, `customers` lets simulated people loose on the gateway, `claims`
says what must have happened, `telling` prints and keeps what is told, `report` draws it. Called by `make demo` as
`python -m runner.demo`. It decides nothing about versions: the product does, and the demo looks.
"""
