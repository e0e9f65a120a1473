"""One number that moves the thresholds of a pair model, tuned on development documents."""
