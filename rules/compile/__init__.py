"""From documents to rules: pySigma reads, pipelines rename, and what is left is plain data."""
