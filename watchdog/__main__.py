"""`python -m watchdog` is the `watchdog` command."""

from watchdog.cli import main

if __name__ == "__main__":
    main()
