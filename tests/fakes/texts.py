"""Texts of rules that several tests run."""

from __future__ import annotations

SQLI = """title: SQL in a request
name: sqli
level: high
logsource: {category: webserver}
detection:
  selection: {url.query|contains: UNION SELECT}
  condition: selection
"""
