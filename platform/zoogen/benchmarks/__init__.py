"""Ratios and figures measured in one run against named alternatives, kept with all that is needed to repeat them."""
