"""Events in Elasticsearch: what a document is in the index, writing and searching it."""
