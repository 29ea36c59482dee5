"""Networks, their preprocessing, and where their weights come from."""


def load(spec, size=None):
    """Open a network by the one string that names it; see models.loading.load."""
    from models import loading  # Keras takes seconds to import: only when a network is wanted

    return loading.load(spec, size)


def describe(spec, size=None):
    """Describe a network by the one string that names it; see models.loading.describe."""
    from models import loading

    return loading.describe(spec, size)
