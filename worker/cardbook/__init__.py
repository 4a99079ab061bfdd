"""Card books: from a spreadsheet to checked rows, and from rows into the store."""
