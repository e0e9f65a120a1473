"""Steps whose loss or gradient was not finite: kept by a callback, and run again."""

from docre.replay.replaying import Replay, ReplayedBatch, replay

__all__ = ["Replay", "ReplayedBatch", "replay"]
