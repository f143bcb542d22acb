"""Which rules fire on an event: each value judged once for all rules, each tuple of judgements remembered."""
