"""Input drift (questions are no longer what the reference set holds) and output drift (answers change their shape).

`topics` sorts questions, `divergence` and `exchange` compare them with the reference, `shift` compares mean vectors,
`shape` looks at answers, and `follow` keeps it all going question by question. Pure: no files, no clock.
"""
