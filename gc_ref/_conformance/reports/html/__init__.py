"""Reports as HTML pages, with their pictures."""
