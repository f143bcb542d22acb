"""Entities: accounts, addresses and API consumers that behave unlike themselves and unlike their peers. Start at `profiles.py`."""
