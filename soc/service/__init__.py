"""The composition root: each process is put together in a module of its own, from the settings, and nowhere else."""
