"""What happened: the schema of events, their durable writer, masking on the way, and the lake that queries them."""
