"""Thresholds of joint models, tuned head by head on development documents."""
