"""govsoc's kernel and shell. Read `soc/pipeline.py` first."""

__version__ = "0.1.0"
