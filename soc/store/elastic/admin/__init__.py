"""What an administrator does to a cluster: set it up, look at it, free it of what is old, copy into it, save it."""
