"""The systems whose published weights can be converted, by the name they have on the shell."""

from __future__ import annotations

from collections.abc import Mapping

from docre.published.atlop import ATLOP
from docre.published.docunet import DOCUNET
from docre.published.dreeam import DREEAM
from docre.published.jerex import JEREX
from docre.published.kd_docre import KD_DOCRE
from docre.published.ssr_pu import SSR_PU
from docre.published.system import System
from docre.published.ttm_re import TTM_RE

SYSTEMS: Mapping[str, System] = {
    "atlop": ATLOP,
    "docunet": DOCUNET,
    "dreeam": DREEAM,
    "jerex": JEREX,
    "kd_docre": KD_DOCRE,
    "ssr_pu": SSR_PU,
    "ttm_re": TTM_RE,
}
