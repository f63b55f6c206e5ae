"""Classifiers by name."""
