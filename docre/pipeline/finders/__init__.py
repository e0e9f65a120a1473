"""What finds the entities of texts that come without them."""

from __future__ import annotations

from docre.pipeline.finders.base import EntityFinder as EntityFinder
from docre.pipeline.finders.gliner import GlinerFinder as GlinerFinder
from docre.pipeline.finders.marked_spans import MarkedSpan as MarkedSpan
from docre.pipeline.finders.marked_spans import with_entities as with_entities
from docre.pipeline.finders.same_name import same_name as same_name
from docre.pipeline.finders.spacy import DOCRED_TYPES as DOCRED_TYPES
from docre.pipeline.finders.spacy import SpacyFinder as SpacyFinder
