"""From folders to a set of rules, as far as possible from the cache."""
