"""`python -m worker.cli`: the command line, for child processes of our own."""

from worker.cli import main

if __name__ == "__main__":
    main()
