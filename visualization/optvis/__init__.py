"""Optimized images (feature visualization) after Lucid: param, transform, objectives, render."""
