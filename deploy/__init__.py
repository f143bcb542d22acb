"""Scripts and servers; nothing here is installed with the product."""
