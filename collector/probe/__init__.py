"""Active probes: whether what a province may probe answers, as lines of the source type `probe.check`."""
