"""The embedded toy collection: painted by the project, never presented as real art.

`collection` paints it, `pretrain` trains the toy network of `nature` pictures that transfers to
it, and `python -m transfer.toy` is the command of both.
"""
