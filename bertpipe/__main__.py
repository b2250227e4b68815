"""``python -m bertpipe`` is ``bertpipe``."""

from bertpipe.cli import main

if __name__ == "__main__":
    main()
