"""Detector: anomalies. What no rule names: series of measures that leave their habit, and people or machines that leave theirs."""
