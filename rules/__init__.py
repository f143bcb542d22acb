"""Sigma rules over events: from files to findings.

read/       YAML documents, their lines and columns, and what is wrong with them
compile/    a document, through its pipelines, to a rule (plain data: `rule`, `condition`, `predicate`)
load/       folders of files to a set of rules: the cache of what was compiled, filters, what correlations are made of
match/      which rules fire on an event
correlate/  which groups of findings are a finding, exactly in event time
engine.py   both, as the pipeline sees them
lists/      lists of a million indicators
desk/       what people ask: checks, cases, explanations, trials, canaries, tuning
package/    rules of others: unpacked, compared, kept
content/    the rules that come with govsoc; pipelines/: the pipelines
"""
