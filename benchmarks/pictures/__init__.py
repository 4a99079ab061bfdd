"""Pictures of emails and pages for the documents; `make pictures`."""
