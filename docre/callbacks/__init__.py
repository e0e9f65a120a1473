"""Lightning callbacks."""

from docre.callbacks.checkpoint import RunCheckpoint
from docre.callbacks.exact_resume import ExactResume
from docre.callbacks.finite_loss import FiniteLoss
from docre.callbacks.freeze import FreezeModules
from docre.callbacks.log_again import LogAgain
from docre.callbacks.peak_memory import PeakMemory
from docre.callbacks.prediction_file import PredictionFile
from docre.callbacks.read_warmup import ReadWarmup
from docre.callbacks.score_files import ScoreFiles
from docre.callbacks.stop_early import StopEarly
from docre.callbacks.termination import EndAtOnce
from docre.callbacks.throughput import Throughput

__all__ = [
    "EndAtOnce",
    "ExactResume",
    "FiniteLoss",
    "FreezeModules",
    "LogAgain",
    "PeakMemory",
    "PredictionFile",
    "ReadWarmup",
    "RunCheckpoint",
    "ScoreFiles",
    "StopEarly",
    "Throughput",
]
