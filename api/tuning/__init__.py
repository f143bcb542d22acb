"""Tuning rules, as people do it: what may be laid down, by whom, and what it would have hidden. The API, the console and the command line
all go through here; what holds is `rules.desk.tuning`'s."""
