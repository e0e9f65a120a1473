"""One module per file format: how to cut a file into records, parse one and write them back."""
