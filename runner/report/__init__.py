"""What is known, told: types to text, Markdown, JSON and HTML. It makes no decisions and does no I/O."""
