"""From documents to triples: a trained model, what finds entities for it, and what is written."""
