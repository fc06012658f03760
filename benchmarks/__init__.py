"""Measurements run by hand, side by side in one run; nothing here is timed by a test."""
