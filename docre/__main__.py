"""``python -m docre``."""

from docre.cli import main

if __name__ == "__main__":
    main()
