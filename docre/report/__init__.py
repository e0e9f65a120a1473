"""``docre report``: one HTML page on which to read predictions beside the gold.

``reading`` takes predictions out of any file docre writes, ``judging`` holds one document's against
its labels, ``content`` puts together what the page says, and ``page`` makes HTML of it. The other
files here go into the page as they are; they build everything from text nodes and ask for nothing
from outside.
"""
