"""``python -m assay``: the command line, wherever the command itself is not on the path."""

from assay.cli import main

if __name__ == "__main__":
    main()
