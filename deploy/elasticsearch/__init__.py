"""A real Elasticsearch on this machine, for tests and demonstrations."""
