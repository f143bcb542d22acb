"""Lists of indicators, a million entries each at no visible cost.

spelling   what an entry and a value look like when they are compared
pack       a list as one file of sorted arrays
index      asking that file, which processes map instead of reading it
known      the lists that hold now, as the engine asks them
read       text, CSV, MISP and STIX to entries
"""
