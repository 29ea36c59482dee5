"""Networks, their preprocessing, and where their weights come from."""


def load(text, size=None):
    """Open a network by the one string that names it; see models.network.load."""
    from models import network  # Keras takes seconds to import: only when a network is wanted

    return network.load(text, size)


def describe(text, size=None):
    """What load(text) opens, as text; see models.network.describe."""
    from models import network

    return network.describe(network.load(text, size))
