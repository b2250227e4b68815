"""Questions about a text: examples, windows, the tokens of answers, and answers from scores."""
