"""What rules, new or changed, would have raised in the past: run as in production, over what is stored."""
