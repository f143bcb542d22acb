"""What is read and replaced one document at a time: alerts, triage, sources, accounts, rules."""
