"""Dashboards and what is provisioned beside them. Never imported by the product: `python -m dashboards.build` writes the JSON."""
