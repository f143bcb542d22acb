"""What people ask of rules besides running them."""
