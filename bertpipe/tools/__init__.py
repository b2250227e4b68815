"""What one does with finished models, outside the graph: one module a command, as in ``stages/``."""
