"""Lightning callbacks."""

from docre.callbacks.checkpoint import RunCheckpoint
from docre.callbacks.freeze import FreezeModules
from docre.callbacks.prediction_file import PredictionFile
from docre.callbacks.read_warmup import ReadWarmup
from docre.callbacks.score_files import ScoreFiles
from docre.callbacks.stop_early import StopEarly
from docre.callbacks.throughput import Throughput

__all__ = [
    "FreezeModules",
    "PredictionFile",
    "ReadWarmup",
    "RunCheckpoint",
    "ScoreFiles",
    "StopEarly",
    "Throughput",
]
