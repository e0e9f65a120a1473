"""``python -m docre``."""

from docre.chain.lifeline import end_with_leader
from docre.cli import main

if __name__ == "__main__":
    end_with_leader()
    main()
