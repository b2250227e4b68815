"""The stages of the pipeline: one module each, with its settings and one ``run``."""
