"""What relations mean, where their names are known."""

from __future__ import annotations

from docre.data.relations import RelationSet


def described(relations: RelationSet) -> RelationSet:
    """Return relations with descriptions, if all of them are of DocRED.

    A file of names and numbers alone gives none, and ``P17`` says nothing to a reader. Descriptions
    that are there stay. Other sets may have a ``P17`` of their own, so that all names have to be
    DocRED's.

    Example:
        >>> described(RelationSet(("P17", "P27"), {"P27": "passport"})).descriptions
        {'P17': 'country', 'P27': 'passport'}
    """
    known = RelationSet.docred().descriptions
    if not all(name in known for name in relations):
        return relations
    found = {name: relations.descriptions.get(name) or known[name] for name in relations}
    return RelationSet(relations.names, found)
