"""Saliency: which pixels a network's answer comes from. A published method a file, one signature.

`methods.METHODS` is the table of them; `randomisation` and `deletion_insertion` ask whether a mask
means anything.
"""
