"""Inference-stage fusion: a trained model reads a document twice, as a whole and in parts.

The parts are the sentences the model itself found to be evidence. What it says in both readings is
put together: ``candidates`` gives the scores of a reading, ``pseudo_documents`` makes the parts,
``fuse`` puts both readings together and tunes what is kept. Nothing is trained.
"""
