"""Service levels: how much of what people ask of a system succeeds, how fast its error budget burns, and whose fault that is."""
