"""Every noun on Elasticsearch 8.19: no more of it than its free core, so that any distribution and licence will do."""
