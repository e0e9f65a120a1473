"""Published weights in a part of a model of ours, by the names that ``docre convert`` goes by."""

from __future__ import annotations

from docre.published.origins import collect, ours_of


def load_published(module, place, origin_of, weights):
    """Give a module its published weights.

    Args:
        module: A part of a model.
        place: What its parameters' names begin with in a whole model.
        origin_of: Where published systems have them.
        weights: Under the published names.

    Returns:
        The published names that nothing was made of.
    """
    found = collect([place + name for name in module.state_dict()], origin_of, weights)
    assert not found.missing
    module.load_state_dict({k.removeprefix(place): v for k, v in found.weights.items()})
    return found.left


def names_in(module, place, origin_of):
    """Return the name in a module of each published parameter."""
    names = ours_of([place + name for name in module.state_dict()], origin_of)
    return {theirs: ours.removeprefix(place) for theirs, ours in names.items()}
