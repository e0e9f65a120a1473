"""Published checkpoints: their names and shapes, and how they become models of ours.

Each system is a file with a table of names. :func:`docre.published.converting.convert_weights`
makes a model of a file of weights, ``docre convert`` writes it as a folder.
"""
