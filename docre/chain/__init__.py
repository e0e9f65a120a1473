"""``docre chain``: the stages of a published pipeline, one after the other.

A chain is a small YAML file (``stages``), each stage becomes commands of docre (``commands``), what
has been done is kept in ``chain.json`` (``state``), and ``runner`` goes on where that ends.
"""
