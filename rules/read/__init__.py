"""Rule files as text: documents, the places of what stands in them, and faults said for people."""
