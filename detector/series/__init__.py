"""Time series out of the event stream: what is counted (definition), in what (meter), and when it is final (aggregate)."""
