"""Reading: stored bytes in, documents of paragraphs out, for each format."""
