"""Findings of findings: windows that slide in event time, whatever the order in which events come."""
