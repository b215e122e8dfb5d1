"""The pages on which people compare, try and judge answers: arena, playground, and the frame of the review queue.

Served by `app` to browsers, on Gradio; a client of the gateway over HTTP. What it shows of the event log comes through
`ports`, which the command line fills. It keeps nothing but who is signed in, decides nothing, and writes no file.
"""
