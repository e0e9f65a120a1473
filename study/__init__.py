"""The experiments of docs/results.md: data, runs, what is kept of them, and the page."""
