"""People in the observer: kinds of entities that are declared, one crowd an organisation, and what of them is shown."""
